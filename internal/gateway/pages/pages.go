package pages

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Page is what is to be said: one of the types below.
type Page interface {
	view(t *texts) view
}

// Waiting says that the meeting is being prepared and tries again by itself:
// the caller chooses the pauses and lets them grow. Next and Join must be
// paths on this site; the page offers no other way to go.
type Waiting struct {
	Next    string        // where the page goes by itself
	After   time.Duration // and when
	Attempt int           // counts from 1
	Join    string        // for those who do not want to wait; Next when empty
}

// GaveUp says that the meeting stayed out of reach. It does not try again.
type GaveUp struct {
	Join string // a path on this site, to start over
}

// NotFound says that there is no such meeting now. It never reloads.
type NotFound struct{}

// LimitReached says that nobody more may come in for now. It never reloads.
type LimitReached struct {
	Join string // a path on this site, to try once more
}

// TooManyRequests says that too many people come at once. It never reloads.
type TooManyRequests struct {
	Join string // a path on this site, to try once more
}

// Unavailable says that nothing works now. It never reloads.
type Unavailable struct{}

// BadRequest says that the link is damaged.
type BadRequest struct {
	Message string // what exactly, for whoever made the link; may be empty
}

// Pages writes pages in the language of the reader.
type Pages struct {
	page      *template.Template
	languages []language
	policy    string
}

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
)

// New prepares the pages. It panics when an embedded file is broken, which no
// test would let through.
func New() *Pages {
	// Only exactly this style may run. Nothing is said about frame-ancestors:
	// learning platforms show meetings in a frame.
	sum := sha256.Sum256([]byte(pageCSS))
	return &Pages{
		page:      template.Must(template.New("page").Parse(pageHTML)),
		languages: languages(),
		policy: "default-src 'none'; base-uri 'none'; form-action 'none'; " +
			"style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
	}
}

// Write answers r with page.
func (p *Pages) Write(w http.ResponseWriter, r *http.Request, status int, page Page) {
	lang := p.choose(r.Header.Get("Accept-Language"))
	v := page.view(lang.texts)
	v.Lang, v.Style = lang.tag, template.CSS(pageCSS) // #nosec G203 -- embedded, not input

	var body bytes.Buffer
	if err := p.page.Execute(&body, v); err != nil {
		// Only a mistake in the template leads here.
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang.tag)
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language")
	h.Set("Referrer-Policy", "no-referrer") // addresses of joins hold names and checksums
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	if v.next != "" {
		h.Set("Refresh", strconv.Itoa(v.after)+"; url="+v.next)
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // a reader who left cannot be told
	}
}

// view is what the template needs.
type view struct {
	Lang       string
	Style      template.CSS
	Busy       bool // something is going on
	Title      string
	Paragraphs []string
	Detail     string
	Href       template.HTMLAttr
	LinkText   string
	Note       string

	next  string // for the Refresh header
	after int    // seconds
}

func (p Waiting) view(t *texts) view {
	v := view{
		Busy:       true,
		Title:      t.WaitingTitle,
		Paragraphs: []string{t.WaitingText},
		LinkText:   t.WaitingLink,
	}
	next := sitePath(p.Next)
	if next == "" {
		v.Busy = false
		v.Paragraphs = append(v.Paragraphs, t.WaitingByHand)
		return v
	}
	v.next, v.after = next, max(1, int(math.Ceil(p.After.Seconds())))
	v.Href = href(next)
	if p.Join != "" {
		v.Href = href(sitePath(p.Join))
	}
	again := t.WaitingSoon
	if v.after > 1 {
		again = strings.ReplaceAll(t.WaitingAgain, "{seconds}", strconv.Itoa(v.after))
	}
	v.Paragraphs = append(v.Paragraphs, again)
	if p.Attempt > 1 {
		v.Note = strings.ReplaceAll(t.WaitingAttempt, "{attempt}", strconv.Itoa(p.Attempt))
	}
	return v
}

func (p GaveUp) view(t *texts) view {
	return view{
		Title:      t.GaveUpTitle,
		Paragraphs: []string{t.GaveUpText, t.GaveUpAdvice},
		Href:       href(sitePath(p.Join)),
		LinkText:   t.GaveUpLink,
	}
}

func (NotFound) view(t *texts) view {
	return view{Title: t.NotFoundTitle, Paragraphs: []string{t.NotFoundText, t.NotFoundAdvice}}
}

func (p LimitReached) view(t *texts) view {
	return view{
		Title:      t.LimitReachedTitle,
		Paragraphs: []string{t.LimitReachedText, t.LimitReachedAdvice},
		Href:       href(sitePath(p.Join)),
		LinkText:   t.LimitReachedLink,
	}
}

func (p TooManyRequests) view(t *texts) view {
	return view{
		Title:      t.TooManyTitle,
		Paragraphs: []string{t.TooManyText, t.TooManyAdvice},
		Href:       href(sitePath(p.Join)),
		LinkText:   t.TooManyLink,
	}
}

func (Unavailable) view(t *texts) view {
	return view{Title: t.UnavailableTitle, Paragraphs: []string{t.UnavailableText, t.UnavailableAdvice}}
}

func (p BadRequest) view(t *texts) view {
	return view{
		Title:      t.BadRequestTitle,
		Paragraphs: []string{t.BadRequestText, t.BadRequestAdvice},
		Detail:     p.Message,
	}
}
