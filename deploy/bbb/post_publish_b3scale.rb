#!/usr/bin/env ruby
# frozen_string_literal: true

# Tells b3scale of recordings that this BigBlueButton node has published.
#
# The node runs it once for each format of a recording, after the files are in
# /var/bigbluebutton/published/<format>/<id>, as
#
#   ruby post_publish_b3scale.rb -m <id> -f <format>
#
# The same by hand repeats what did not work. See recordings.env for the settings
# and for how to install it. Needs Ruby 2.5 or newer and nothing else, and rsync if
# it is to bring the files, too.

require 'json'
require 'logger'
require 'net/http'
require 'openssl'
require 'open3'
require 'optparse'
require 'uri'
require 'zlib'

# Final is a failure that another attempt would not mend.
class Final < StandardError; end

# Later is a failure that time may mend.
class Later < StandardError; end

# Settings are what the file says, checked.
class Settings
  FILE = '/etc/b3scale/recordings.env'
  DEFAULTS = {
    'B3SCALE_API_URL' => '',
    'B3SCALE_API_ACCESS_TOKEN_FILE' => '/etc/b3scale/recordings.token',
    'B3SCALE_CA_FILE' => '',
    'B3SCALE_RECORDINGS_UPLOAD' => '',
    'B3SCALE_RECORDINGS_FROM' => '/var/bigbluebutton/published',
    'B3SCALE_RETRY_PAUSES' => '5 15 30 60 120 300',
    'B3SCALE_LOG_FILE' => '/var/log/bigbluebutton/post_publish.log'
  }.freeze
  HOST = /(?:[A-Za-z0-9_.-]+@)?[A-Za-z0-9][A-Za-z0-9_.-]*/.freeze
  PATH = %r{/[A-Za-z0-9_./@-]+}.freeze # nothing that a shell might read otherwise

  attr_reader :unknown

  def initialize(file)
    @values = DEFAULTS.dup
    @unknown = []
    File.readlines(file, encoding: 'UTF-8').each { |line| read(line.strip) }
  rescue SystemCallError => e
    raise Final, "settings: #{e.message}"
  end

  def log_file
    @values['B3SCALE_LOG_FILE']
  end

  def from
    @values['B3SCALE_RECORDINGS_FROM']
  end

  def ca_file
    @values['B3SCALE_CA_FILE']
  end

  def pauses
    @values['B3SCALE_RETRY_PAUSES'].split(/[\s,]+/).map { |pause| Float(pause) }
  rescue ArgumentError
    raise Final, 'B3SCALE_RETRY_PAUSES is no list of seconds'
  end

  def import_uri
    uri = URI.parse(@values['B3SCALE_API_URL'].chomp('/') + '/api/v1/recordings-import')
    sound = uri.is_a?(URI::HTTP) && uri.host && !uri.host.empty? && uri.userinfo.nil? && uri.query.nil? && uri.fragment.nil?
    raise Final, 'B3SCALE_API_URL is not like https://b3scale.example.org' unless sound

    uri
  rescue URI::InvalidURIError
    raise Final, 'B3SCALE_API_URL is no URL'
  end

  def token
    file = @values['B3SCALE_API_ACCESS_TOKEN_FILE']
    text = File.binread(file).strip
    raise Final, "#{file} holds no token" unless text.match?(/\A[\x21-\x7e]+\z/)

    text
  rescue SystemCallError => e
    raise Final, "token: #{e.message}"
  end

  # The host, or nil if it is this one, and the directory that the files go to;
  # nil if they stay where they are.
  def upload
    target = @values['B3SCALE_RECORDINGS_UPLOAD']
    return nil if target.empty?

    match = /\A(?:(#{HOST}):)?(#{PATH})\z/.match(target)
    raise Final, 'B3SCALE_RECORDINGS_UPLOAD is neither /path nor host:/path nor user@host:/path' unless match

    [match[1], match[2].chomp('/')]
  end

  private

  def read(line)
    return if line.empty? || line.start_with?('#')

    name, value = line.sub(/\Aexport\s+/, '').split('=', 2).map(&:strip)
    value = (value || '').sub(/\A(["'])(.*)\1\z/, '\2')
    if !DEFAULTS.key?(name)
      @unknown << name
    elsif !value.empty?
      @values[name] = value
    end
  end
end

# Hook does the work for one format of one recording.
class Hook
  NAME = /\A[A-Za-z0-9_-]{1,255}\z/.freeze
  SSH = %w[ssh -o BatchMode=yes -o ConnectTimeout=10].freeze
  MOST = 1 << 20 # bytes of an answer

  def initialize(settings, log, id, format)
    raise Final, 'no recording and format: -m ID -f FORMAT' unless NAME.match?(id.to_s) && NAME.match?(format.to_s)

    @settings = settings
    @log = log
    @id = id
    @format = format
    @dir = File.join(settings.from, format, id)
  end

  def run
    @uri = @settings.import_uri
    @token = @settings.token
    @pauses = @settings.pauses
    target = @settings.upload
    document = read_metadata
    repeat { upload(*target) } if target
    repeat { import(document) }
  end

  private

  def read_metadata
    File.binread(File.join(@dir, 'metadata.xml'))
  rescue SystemCallError => e
    raise Final, "metadata: #{e.message}"
  end

  # The pauses are those of all steps together: the node waits for us.
  def repeat
    yield
  rescue Later => e
    pause = @pauses.shift
    raise if pause.nil?

    @log.warn("#{@format} of #{@id}: #{e.message}; next attempt in #{pause.round(1)} s")
    sleep(pause)
    retry
  end

  # The files come under a hidden name first. What stands in their place is of an
  # earlier run, or the recording was made anew.
  def upload(host, base)
    place = "#{base}/#{@format}"
    shell(host, "mkdir -p -- #{place}")
    rsync = ['rsync', '-rpt', '--delete', '--timeout=60', '-e', SSH.join(' ')]
    to = "#{place}/.upload-#{@id}/"
    execute(*rsync, "#{@dir}/", host ? "#{host}:#{to}" : to)
    shell(host, "set -e; cd #{place}; rm -rf ./.replaced-#{@id}; " \
                "if [ -e ./#{@id} ]; then mv -T ./#{@id} ./.replaced-#{@id}; fi; " \
                "mv -T ./.upload-#{@id} ./#{@id}; rm -rf ./.replaced-#{@id}")
  end

  def shell(host, script)
    host ? execute(*SSH, host, script) : execute('sh', '-c', script)
  end

  def execute(*command)
    output, status = Open3.capture2e(*command, stdin_data: '')
    raise Later, "#{command.first} failed (#{status.exitstatus || 'killed'}): #{legible(output)}" unless status.success?
  rescue SystemCallError => e
    raise Final, "#{command.first}: #{e.message}"
  end

  def import(document)
    status, body = post(document)
    case status
    when 200
      raise Later, "200 without the recording: #{legible(body)}" unless record_id(body) == @id
    when 408, 409, 429, 500..599 # 409: the files are not there yet, or somebody works on them
      raise Later, "answered #{status}: #{legible(body)}"
    else
      raise Final, "answered #{status}: #{legible(body)}"
    end
  end

  NETWORK = [SocketError, SystemCallError, Timeout::Error, IOError, OpenSSL::SSL::SSLError, Net::ProtocolError,
             Net::HTTPBadResponse, Net::HTTPHeaderSyntaxError, Zlib::Error].freeze

  # Redirects are not followed: the token is for nobody else.
  def post(document)
    request = Net::HTTP::Post.new(@uri, 'Content-Type' => 'application/xml', 'Authorization' => "Bearer #{@token}")
    request.body = document
    body = +''
    response = connection.start do |http|
      http.request(request) do |answer|
        answer.read_body { |part| body << part if body.bytesize < MOST }
      end
    end
    [response.code.to_i, body]
  rescue *NETWORK => e
    raise Later, "#{@uri.host}: #{legible(e.message)}"
  end

  def connection
    http = Net::HTTP.new(@uri.host, @uri.port)
    http.use_ssl = @uri.scheme == 'https'
    http.ca_file = @settings.ca_file unless @settings.ca_file.empty?
    http.open_timeout = 10
    http.read_timeout = 120 # the import may move files
    http
  end

  def record_id(body)
    answer = JSON.parse(body)
    answer.is_a?(Hash) ? answer['RecordID'] : nil
  rescue JSON::ParserError, EncodingError
    nil
  end

  # One line, not long, without the token.
  def legible(text)
    line = text.dup.force_encoding(Encoding::UTF_8).scrub('?').gsub(@token, '[token]').gsub(/[[:cntrl:] ]+/, ' ').strip
    line.length > 300 ? "#{line[0, 300]}…" : line
  end
end

def logger(file)
  log = Logger.new(file, 'weekly')
  log.level = Logger::INFO
  log.progname = 'b3scale'
  log
rescue SystemCallError => e
  warn("b3scale: #{e.message}")
  Logger.new($stderr)
end

def main(arguments)
  options = { file: Settings::FILE }
  parser = OptionParser.new do |o|
    o.banner = 'Usage: post_publish_b3scale.rb -m ID -f FORMAT [-c FILE]'
    o.on('-m', '--meeting-id ID', 'internal id of the meeting, which is that of the recording') { |v| options[:id] = v }
    o.on('-f', '--format FORMAT', 'presentation, video, …') { |v| options[:format] = v }
    o.on('-c', '--config FILE', "settings; #{Settings::FILE}") { |v| options[:file] = v }
  end
  parser.parse!(arguments)
  log = nil
  settings = Settings.new(options[:file])
  log = logger(settings.log_file)
  settings.unknown.each { |name| log.warn("#{options[:file]}: there is no setting #{name}") }
  Hook.new(settings, log, options[:id], options[:format]).run
  log.info("#{options[:format]} of #{options[:id]} is imported")
  0
rescue OptionParser::ParseError, Final, Later => e
  message = "#{options[:format]} of #{options[:id]} is not imported: #{e.message}"
  log ? log.error(message) : warn("b3scale: #{message}")
  1
end

exit(main(ARGV)) if $PROGRAM_NAME == __FILE__
