# Keeps one PostgreSQL cluster as long as standard input is open.
# $1 the directory with the binaries, $2 and $3 where its own directory may be
# Commands come in lines; each is answered with one line.

# Whoever reads the answers may be gone, and no terminal ends us.
trap '' HUP INT TERM PIPE
umask 077
dir=$(mktemp -d "$2/b3pg.XXXXXX") || dir=$(mktemp -d "$3/b3pg.XXXXXX") || exit 1
cd "$dir" || exit 1
echo "$dir"

postmaster=
stop() {
	[ -n "$postmaster" ] || return
	# What is stopped would not see that it is to end.
	kill -CONT "$postmaster"
	for process in /proc/[0-9]*/stat; do
		read -r pid _ _ parent _ <"$process" && [ "$parent" = "$postmaster" ] && kill -CONT "$pid"
	done
	kill -QUIT "$postmaster" # immediate shutdown
	wait "$postmaster"
	postmaster=
}

while read -r command arguments; do
	case $command in
	init) # arguments of initdb
		# shellcheck disable=SC2086 # these are words
		"$1/initdb" -D "$dir/data" $arguments >log 2>&1
		echo $?
		;;
	copy) # the directory of another keeper
		cp -R "$arguments/data" data >log 2>&1
		echo $?
		;;
	start) # arguments of postgres
		# shellcheck disable=SC2086 # these are words
		"$1/postgres" -D "$dir/data" -k "$dir" $arguments >>log 2>&1 &
		postmaster=$!
		echo "$postmaster"
		;;
	stop)
		stop
		echo 0
		;;
	esac
done

stop
cd /
rm -rf "$dir"
