package adminapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"b3scale"
	"b3scale/bbb"
	"b3scale/internal/cluster"
	"b3scale/internal/policy"
	"b3scale/internal/routing"
)

// PlacementsExplain tells what a create would do.
func (s *Server) PlacementsExplain(w http.ResponseWriter, r *http.Request) {
	var q question
	if err := request(r, &q); err != nil {
		s.fail(w, r, err)
		return
	}
	f, err := q.frontend(s.Mind)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	create, err := q.create(f)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	x, err := s.Mind.Explain(r.Context(), create)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.send(w, r, http.StatusOK, explanationOf(create, &x))
}

// question is a create as a frontend would send it.
type question struct {
	FrontendKey string        `json:"frontend_key"`
	FrontendID  string        `json:"frontend_id"`
	Params      orderedParams `json:"params"`
	Body        string        `json:"body"`
}

// orderedParams are those of an object in the order in which it has them.
type orderedParams struct{ bbb.Params }

// UnmarshalJSON takes an object of texts.
func (p *orderedParams) UnmarshalJSON(text []byte) error {
	var values map[string]string
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	in := json.NewDecoder(bytes.NewReader(text))
	_, err := in.Token() // the brace, or null
	for err == nil && in.More() {
		var name json.Token
		if name, err = in.Token(); err == nil {
			_, err = in.Token()
			p.Set(name.(string), values[name.(string)])
		}
	}
	return err
}

// frontend is the one that is meant, as creates see it: by memory.
func (q *question) frontend(mind Mind) (*b3scale.Frontend, error) {
	if q.FrontendKey == "" && q.FrontendID == "" {
		return nil, fieldErrors{"frontend_key": {isRequired}}
	}
	if q.FrontendID == "" {
		if f := mind.Frontend(q.FrontendKey); f != nil {
			return f, nil
		}
		return nil, b3scale.Errorf(b3scale.NotFound, "no frontend with the key %q", q.FrontendKey)
	}
	f := mind.FrontendByID(q.FrontendID)
	if f == nil || q.FrontendKey != "" && f.Key != q.FrontendKey {
		return nil, unknown("frontend", q.FrontendID)
	}
	return f, nil
}

// create is what the gateway makes of it.
func (q *question) create(f *b3scale.Frontend) (cluster.CreateRequest, error) {
	wrong := fieldErrors{}
	call := bbb.Call{Name: "create", Params: q.Params.Params}
	if _, sent := call.Params.Lookup("meetingID"); !sent {
		call.Params.Set("meetingID", b3scale.NewID())
	}
	id := bbb.Clean(call.Params.Get("meetingID"))
	failure := bbb.CheckMeetingID(id)
	if failure == nil && len(b3scale.EncodeMeetingID(f.Key, id)) > b3scale.MaxMeetingIDLength {
		failure = bbb.ErrMeetingIDSize
	}
	if failure != nil {
		wrong.add("params.meetingID", failure.Message)
	}
	if body := bytes.TrimSpace([]byte(q.Body)); len(body) > 0 {
		call.Body = []byte(q.Body)
		wrong.judge("body", body[0] != '<' || bbb.CheckBody(call.Body) != nil, "should be XML")
	}
	if err := wrong.err(); err != nil {
		return cluster.CreateRequest{}, err
	}
	call, wish := policy.Create(f, call)
	return cluster.CreateRequest{Frontend: f, MeetingID: id, Params: call.Params, Form: call.Form, Body: call.Body, Tags: wish}, nil
}

func explanationOf(create cluster.CreateRequest, x *cluster.Explanation) PlacementExplanation {
	answer := PlacementExplanation{
		FrontendID: create.Frontend.ID, FrontendKey: create.Frontend.Key, MeetingID: create.MeetingID,
		Outcome: outcomeOf(x), BackendID: orNull(x.Chosen), DrawnFrom: []string{}, Refusal: refusalOf(x),
		ExpectedSize: x.Size, Backends: []PlacementVerdict{}, RuledOut: byName(x.RuledOut), Call: callOf(&x.Call),
		Warnings: append([]string{}, x.Warnings...),
	}
	if h := x.Home; h != nil {
		answer.Home = &PlacementHome{BackendID: h.BackendID, Generation: h.Generation, State: string(h.State)}
	}
	for i := range x.Verdicts {
		v := &x.Verdicts[i]
		if v.Drawn {
			answer.DrawnFrom = append(answer.DrawnFrom, v.ID)
		}
		answer.Backends = append(answer.Backends, verdictOf(v))
	}
	return answer
}

func outcomeOf(x *cluster.Explanation) PlacementOutcome {
	switch {
	case x.Refused != nil:
		return PlacementOutcomeRefused
	case x.Home == nil:
		return PlacementOutcomePlaced
	case x.Home.OfParent:
		return PlacementOutcomeFollows
	}
	return PlacementOutcomeExists
}

// refusalOf shows the cause, too, when no backend is left: it counts why.
func refusalOf(x *cluster.Explanation) *PlacementRefusal {
	if x.Refused == nil {
		return nil
	}
	refusal := &PlacementRefusal{Code: string(b3scale.CodeOf(x.Refused)), Message: x.Refused.Error()}
	if f, ok := errors.AsType[*bbb.Failure](x.Refused); ok {
		refusal.Code, refusal.Message = f.Key, f.Message
	}
	if refusal.Code == string(b3scale.NoBackend) && x.Emptied != "" {
		refusal.Filter = new(PlacementFilter(x.Emptied))
	}
	return refusal
}

func verdictOf(v *routing.Verdict) PlacementVerdict {
	const thousand = 1000
	return PlacementVerdict{
		BackendID: v.ID, Host: v.Host, Eligible: len(v.Out) == 0, RuledOutBy: reasonsOf(v.Out), Behind: reasonsOf(v.Behind),
		Score: v.Score, Near: v.Near, Drawn: v.Drawn,
		Load: PlacementLoad{
			Meetings: float64(v.Load.Meetings) / thousand, Reserved: float64(v.Load.Reserved) / thousand,
			Foreign: float64(v.Load.Foreign) / thousand, Factor: v.Load.Factor,
		},
	}
}

func reasonsOf(all []routing.Reason) []PlacementReason {
	reasons := make([]PlacementReason, len(all))
	for i, why := range all {
		reasons[i] = PlacementReason{Filter: PlacementFilter(why.Filter), Reason: why.Text}
	}
	return reasons
}

func byName(counts map[routing.Filter]int) map[string]int {
	named := make(map[string]int, len(counts))
	for filter, n := range counts {
		named[string(filter)] = n
	}
	return named
}

var (
	// credentials in an address, as those of presentations may have.
	credentials = regexp.MustCompile(`://[^/?#@\s"'<>]*@`)
	// webToken is one as in the address of a callback.
	webToken = regexp.MustCompile(`\beyJ[\w-]+\.[\w-]+\.[\w-]+`)
)

// callOf masks what nobody needs to see who wants to know where a meeting goes.
func callOf(call *bbb.Call) PlacementCall {
	hidden := b3scale.Secret("").String()
	plain := func(text string) string {
		return webToken.ReplaceAllString(credentials.ReplaceAllString(text, "://"+hidden+"@"), hidden)
	}
	shown := PlacementCall{Params: []PlacementParam{}, Form: call.Form}
	for name, value := range call.Params.All() {
		if value != "" && b3scale.IsPassword(bbb.Clean(name)) {
			value = hidden
		}
		shown.Params = append(shown.Params, PlacementParam{Name: name, Value: plain(value)})
	}
	if call.Body != nil {
		shown.Body = new(plain(string(call.Body)))
	}
	return shown
}

// placementOf is what is kept of a decision; null without one.
func placementOf(d *routing.Decision) *Placement {
	if d == nil {
		return nil
	}
	p := &Placement{
		DecidedAt: moment(d.At), Backends: int(d.Backends), Eligible: int(d.Able), DrawnFrom: int(d.Drawn),
		Best: []PlacementScore{}, RuledOut: byName(d.RuledOut()),
	}
	for _, b := range d.Best() {
		p.Best = append(p.Best, PlacementScore{BackendID: b.BackendID, Score: b.Score})
	}
	return p
}
