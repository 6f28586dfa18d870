package bbbtest

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"html"
	"math"
	"slices"
)

// webm is a video of one black picture of one pixel.
func webm() []byte {
	frame, _ := base64.StdEncoding.DecodeString("MAEAnQEqAQABAA7A/iWkAANwAAAAAA==") // VP8
	text := func(id uint32, s string) []byte { return ebml(id, []byte(s)) }
	number := func(id uint32, n byte) []byte { return ebml(id, []byte{n}) }
	scale := binary.BigEndian.AppendUint32(nil, 1_000_000) // ns: times are in ms
	length := binary.BigEndian.AppendUint64(nil, math.Float64bits(1000))
	return slices.Concat(
		ebml(0x1a45dfa3, number(0x4286, 1), number(0x42f7, 1), number(0x42f2, 4), number(0x42f3, 8),
			text(0x4282, "webm"), number(0x4287, 2), number(0x4285, 2)),
		ebml(0x18538067,
			ebml(0x1549a966, ebml(0x2ad7b1, scale), text(0x4d80, "bbbtest"), text(0x5741, "bbbtest"), ebml(0x4489, length)),
			ebml(0x1654ae6b, ebml(0xae, number(0xd7, 1), number(0x73c5, 1), number(0x83, 1), text(0x86, "V_VP8"),
				ebml(0xe0, number(0xb0, 1), number(0xba, 1)))),
			ebml(0x1f43b675, number(0xe7, 0), ebml(0xa3, []byte{0x81, 0, 0, 0x80}, frame)), // a key frame of track 1
		),
	)
}

// ebml is an element of a WebM file.
func ebml(id uint32, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	b := bytes.TrimLeft(binary.BigEndian.AppendUint32(nil, id), "\x00")
	b = binary.BigEndian.AppendUint64(b, 1<<56|uint64(len(body)))
	return append(b, body...)
}

// ogg is a moment of silence in Opus.
func ogg() []byte {
	head := binary.LittleEndian.AppendUint32(append([]byte("OpusHead"), 1, 1, 0, 0), 48_000) // version, one channel
	head = append(head, 0, 0, 0)
	tags := binary.LittleEndian.AppendUint32([]byte("OpusTags"), 7)
	tags = binary.LittleEndian.AppendUint32(append(tags, "bbbtest"...), 0)
	const first, last = 2, 4
	return slices.Concat(
		oggPage(0, first, 0, head), oggPage(1, 0, 0, tags),
		oggPage(2, last, 960, []byte{0xf8, 0xff, 0xfe}),
	)
}

// oggPage holds one packet of less than 255 bytes.
func oggPage(sequence uint32, flags byte, granule uint64, packet []byte) []byte {
	const sumAt = 22
	b := append([]byte("OggS"), 0, flags)
	b = binary.LittleEndian.AppendUint64(b, granule)
	b = binary.LittleEndian.AppendUint32(b, 1) // stream
	b = binary.LittleEndian.AppendUint32(b, sequence)
	b = append(b, 0, 0, 0, 0, 1, byte(len(packet))) //nolint:gosec // see above
	b = append(b, packet...)
	binary.LittleEndian.PutUint32(b[sumAt:], oggSum(b))
	return b
}

// oggSum is a CRC that hash/crc32 cannot make: its bits are not reflected.
func oggSum(page []byte) (sum uint32) {
	for _, c := range page {
		sum ^= uint32(c) << 24
		for range 8 {
			carry := sum&(1<<31) != 0
			if sum <<= 1; carry {
				sum ^= 0x04c11db7
			}
		}
	}
	return sum
}

// pdf is one empty page.
func pdf() []byte {
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	table := "0000000000 65535 f \n"
	for i, o := range objects {
		table += fmt.Sprintf("%010d 00000 n \n", b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n%strailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, table, len(objects)+1, start)
	return b.Bytes()
}

func page(title, body string) []byte {
	return []byte("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>" + html.EscapeString(title) +
		"</title></head>\n<body>" + body + "</body>\n</html>\n")
}
