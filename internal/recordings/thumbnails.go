package recordings

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"b3scale"
)

// mostThumbnails is how many pictures a preview has at most.
const mostThumbnails = 100

// thumbnails are the pictures of slides among the files of a recording, in the
// order of the slides. Their addresses have no host.
func thumbnails(t tree, id string) (images []b3scale.RecordingImage) {
	const format = "presentation"
	dir := t.live(format, id)
	found, err := filepath.Glob(filepath.Join(dir, format, "*", "thumbnails", "*.png"))
	if err != nil {
		return nil // cannot be: the pattern is good
	}
	slices.SortFunc(found, naturally)
	for _, name := range found {
		info, err := os.Lstat(name)
		inside, errRel := filepath.Rel(dir, name)
		if err != nil || errRel != nil || !info.Mode().IsRegular() || len(images) == mostThumbnails {
			continue
		}
		images = append(images, b3scale.RecordingImage{
			Alt: fmt.Sprintf("Thumbnail %02d", len(images)+1), URL: path.Join(format, id, filepath.ToSlash(inside)),
		})
	}
	return images
}

// naturally compares names as people do: thumb-2 comes before thumb-10.
func naturally(a, b string) int {
	for a != "" && b != "" {
		x, y := leadingNumber(a), leadingNumber(b)
		if x != "" && y != "" {
			one, two := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Or(cmp.Compare(len(one), len(two)), cmp.Compare(one, two), cmp.Compare(len(x), len(y))); c != 0 {
				return c
			}
			a, b = a[len(x):], b[len(y):]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

func leadingNumber(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}
