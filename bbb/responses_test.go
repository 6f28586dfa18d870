package bbb_test

import (
	"testing"

	"b3scale/bbb"
)

func TestAnswersAreByteEqualToThoseOfNodes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		file string
		got  []byte
	}{
		{"error.checksumError.mismatch.xml", bbb.ErrChecksum.Answer()},
		{"error.checksumError.missing.xml", bbb.ErrChecksumMissing.Answer()},
		{"error.unsupportedContentType.xml", bbb.ErrContentType.Answer()},
		{"error.missingParamMeetingID.xml", bbb.ErrMissingMeetingID.Answer()},
		{"error.meetingID.sizeError.xml", bbb.ErrMeetingIDSize.Answer()},
		{"error.meetingID.comma.xml", bbb.ErrMeetingIDComma.Answer()},
		{"end.notFound.xml", bbb.ErrNotFound.Answer()},
		{"getMeetingInfo.notFound.xml", bbb.ErrNotFound.Answer()},
		{"create.idNotUnique.xml", bbb.ErrIDNotUnique.Answer()},
		{"create.idNotUnique.noPasswords.2.5.xml", bbb.ErrIDNotUnique.Answer()},
		{"create.breakout.parentMeetingIDMissing.3.0.xml", bbb.ErrParentMissing.Answer()},
		{"create.breakout.parentMeetingDoesNotExist.3.0.xml", bbb.ErrParentNotFound.Answer()},
		{"root.2.4.xml", bbb.VersionAnswer()},
		{"isMeetingRunning.true.xml", bbb.RunningAnswer(true)},
		{"isMeetingRunning.false.xml", bbb.RunningAnswer(false)},
		{"getMeetings.empty.xml", bbb.NoMeetingsAnswer()},
	}
	for _, c := range cases {
		if want := readFile(t, "responses/"+c.file); string(c.got) != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.file, c.got, want)
		}
	}
}

// Failures without a fixture must read back as what they say.
func TestEveryFailureReadsBack(t *testing.T) {
	t.Parallel()
	for _, f := range []*bbb.Failure{
		bbb.ErrMeetingIDInvalid, bbb.ErrUnsupported, {Key: "a<b", Message: `"x" & 'y'`},
	} {
		root := parse(t, string(f.Answer())).Root()
		if got := root.Child("returncode").Text(); got != bbb.Failed {
			t.Errorf("%v: return code %q, want %q", f, got, bbb.Failed)
		}
		if got := root.Child("messageKey").Text(); got != f.Key {
			t.Errorf("%v: key %q, want %q", f, got, f.Key)
		}
		if got := root.Child("message").Text(); got != f.Message {
			t.Errorf("%v: message %q, want %q", f, got, f.Message)
		}
		if got, want := f.Error(), f.Key+": "+f.Message; got != want {
			t.Errorf("Error = %q, want %q", got, want)
		}
	}
}

func TestBuilder(t *testing.T) {
	t.Parallel()
	got := bbb.NewAnswer(bbb.Success).Text("meetingID", "a & b").Text("message", "").Raw("<meetings>\n</meetings>").Bytes()
	want := "<response>\n<returncode>SUCCESS</returncode>\n<meetingID>a &amp; b</meetingID>\n<message></message>\n<meetings>\n</meetings>\n</response>"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
