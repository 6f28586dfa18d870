package bbbtest

import (
	"encoding/json"
	"strings"

	"b3scale/bbb"
)

// The recording calls of a node that has no recordings, or has given them away. They check the
// checksum themselves: of the query alone, in every version, and after some of
// the parameters.

var errRecordingChecksum = &bbb.Failure{Key: "checksumError", Message: "You did not pass the checksum security check"}

// checksumOfQuery reports whether the query is signed.
func (c *call) checksumOfQuery() bool {
	query, checksum, count := bbb.SplitChecksum(c.rawQuery)
	return count == 1 && bbb.Verify(c.name, query, checksum, c.secret)
}

func (c *call) getRecordings() reply {
	if !c.checksumOfQuery() {
		return failed(errRecordingChecksum)
	}
	answer := xmlReply([]byte("<response>\n          <returncode>SUCCESS</returncode>\n          <recordings></recordings>\n" +
		"          <messageKey>noRecordings</messageKey>\n          <message>There are no recordings for the meeting(s).</message>\n" +
		"        </response>"))
	answer.noCache = false
	return answer
}

func (c *call) publishRecordings() reply { return c.editRecordings(true) }
func (c *call) deleteRecordings() reply  { return c.editRecordings(false) }
func (c *call) updateRecordings() reply  { return c.editRecordings(false) }

func (c *call) editRecordings(publish bool) reply {
	_, _, checksums := bbb.SplitChecksum(c.rawQuery)
	switch {
	case checksums == 0:
		return failed(errRecordingChecksum)
	case c.get("recordID") == "":
		return failed(&bbb.Failure{Key: "missingParamRecordID", Message: "You must specify a recordID."})
	case publish && c.get("publish") == "":
		return failed(&bbb.Failure{Key: "missingParamPublish", Message: "You must specify a publish value true or false."})
	case !c.checksumOfQuery():
		return failed(errRecordingChecksum)
	}
	return failed(&bbb.Failure{Key: "notFound", Message: "We could not find recordings"})
}

func (c *call) getRecordingTextTracks() reply {
	_, _, checksums := bbb.SplitChecksum(c.rawQuery)
	switch id := c.get("recordID"); {
	case checksums == 0:
		return failed(errRecordingChecksum)
	case id == "":
		return failed(&bbb.Failure{Key: "missingParamRecordID", Message: "You must specify a recordID."})
	case !c.checksumOfQuery():
		return failed(errRecordingChecksum)
	default:
		return jsonReply(`{"response":{"returncode":"FAILED","messageKey":"noRecordings","message":` +
			quoteJSON("No recording found for "+id) + `}}`)
	}
}

// putRecordingTextTrack finds no recording, so it never gets to the file.
func (c *call) putRecordingTextTrack() reply {
	_, _, checksums := bbb.SplitChecksum(c.rawQuery)
	switch id := c.get("recordID"); {
	case checksums == 0:
		return failedJSON("paramError", "Missing param checksum.")
	case id == "":
		return failedJSON("paramError", "Missing param recordID.")
	case !c.checksumOfQuery():
		return failed(errRecordingChecksum)
	default:
		return failedJSON("noRecordings", "No recording was found for "+id)
	}
}

func failedJSON(key, message string) reply {
	return jsonReply("{\n    \"response\": {\n        \"returncode\": \"FAILED\",\n        \"messageKey\": " + quoteJSON(key) +
		",\n        \"message\": " + quoteJSON(message) + "\n    }\n}")
}

func quoteJSON(text string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(text) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}
