package bbb_test

import (
	"bytes"
	"testing"

	"b3scale/bbb"
)

// joinQuery is what a Greenlight sends.
const joinQuery = "createTime=1767225600123&fullName=Ada+Example&join_via_html5=true&logoutURL=https%3A%2F%2Flms.example.org%2Fb%2Fada-x7k-q2m" +
	"&meetingID=phys-101-spring&password=mpR4tZ9w&role=Moderator&userID=gl-mxtvqzkpbwdr&userdata-bbb_display_branding_area=true&avatarURL=https%3A%2F%2Flms.example.org%2Favatar%2Fada.png"

func BenchmarkParseXML(b *testing.B) {
	small := readFile(b, "responses/getMeetings.success.3.0.xml")
	list := bytes.Repeat(small[bytes.Index(small, []byte("<meeting>")):bytes.LastIndex(small, []byte("</meetings>"))], 200)
	large := append([]byte("<response>\n<returncode>SUCCESS</returncode>\n<meetings>\n"), append(list, "</meetings>\n</response>"...)...)
	for name, raw := range map[string][]byte{"one list": small, "a megabyte": large} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bbb.ParseXML(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRewriteIDs reads a list and gives each meeting another id, as the
// gateway does with every answer.
func BenchmarkRewriteIDs(b *testing.B) {
	raw := readFile(b, "responses/getMeetings.success.3.0.xml")
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		doc, err := bbb.ParseXML(raw)
		if err != nil {
			b.Fatal(err)
		}
		edit := doc.Edit()
		for m := range doc.Root().Child("meetings").Children() {
			id := m.Child("meetingID")
			edit.SetText(id, "new-"+id.Text())
		}
		edit.Bytes()
	}
}

func BenchmarkVerify(b *testing.B) {
	signed := bbb.SignedQuery("join", joinQuery, secret)
	b.ReportAllocs()
	for b.Loop() {
		r := bbb.NewRequest("join", signed, "")
		if err := r.Verify(secret); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyOnly(b *testing.B) {
	sum := bbb.Sign("join", joinQuery, secret)
	b.ReportAllocs()
	for b.Loop() {
		if !bbb.Verify("join", joinQuery, sum, secret) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkParams(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		p := bbb.ParseParams(joinQuery)
		p.Set("meetingID", "WyJmZTIiLCJwaHlzLTEwMS1zcHJpbmciLCJiM3NjbCJd")
		_ = p.Encode()
	}
}
