package callbacks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"b3scale"
)

// Types of the bodies that nodes and their scripts send.
const (
	typeForm      = "application/x-www-form-urlencoded"
	typeMultipart = "multipart/form-data"
	typeJSON      = "application/json"
)

// Accepts reports whether a body may have this type.
func (*Intake) Accepts(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == typeForm || kind == typeMultipart || kind == typeJSON)
}

// TakePost takes a call with a body: a recording is ready, or figures of a
// meeting. token is that of the ticket, authorization the header of that name.
func (in *Intake) TakePost(ctx context.Context, t b3scale.CallbackTicket, token, contentType, authorization string, body []byte) error {
	f, err := in.frontend(t)
	if err != nil {
		return err
	}
	signed, err := "", error(nil)
	if t.Kind != b3scale.CallbackAnalytics {
		signed, err = signedParameters(contentType, body)
	}
	if t.Kind == "" {
		t.Kind = b3scale.CallbackRecordingReady
		if errors.Is(err, errNotSigned) && bearer(authorization) != "" {
			t.Kind, err = b3scale.CallbackAnalytics, nil
		}
	}
	switch {
	case err != nil:
		return err
	case t.Target == "":
		return errNoTarget
	}
	secrets, err := in.meetings.NodeSecrets(ctx, b3scale.MeetingKey{FrontendID: f.ID, MeetingID: t.MeetingID}, t.Origin.Generation)
	if err != nil {
		return err
	}
	c := b3scale.Callback{FrontendID: f.ID, Kind: t.Kind, URL: t.Target}
	switch t.Kind {
	case b3scale.CallbackRecordingReady:
		c.Payload, c.MeetingID, err = recordingReady(f, t, signed, secrets)
	case b3scale.CallbackAnalytics:
		c.Payload, c.MeetingID, err = in.analytics(f, t, bearer(authorization), body, secrets)
	default:
		err = errOtherMethod
	}
	if err != nil {
		in.log.WarnContext(ctx, "callback of a node refused", "kind", t.Kind, "frontend", f.Key, "meeting", t.MeetingID, "error", err)
		return err
	}
	c.Dedup = fingerprint(token, string(c.Payload))
	terms := b3scale.CallbackTerms{Repeats: repeated}
	if t.Kind == b3scale.CallbackRecordingReady {
		// Nodes say the same for each format, once: only who has not heard of the
		// one yet hears of both together.
		terms = b3scale.CallbackTerms{UntilTaken: true}
	}
	_, err = in.Add(ctx, c, terms)
	return err
}

var (
	errNotSigned  = b3scale.Errorf(b3scale.InvalidArgument, "signed_parameters are missing")
	errBadBody    = b3scale.Errorf(b3scale.InvalidArgument, "the body cannot be read")
	errNoMeeting  = b3scale.Errorf(b3scale.InvalidArgument, "meeting_id is missing")
	errNotByANode = b3scale.Errorf(b3scale.Forbidden, "no node of ours has signed this")
)

const signedParam = "signed_parameters"

// signedParameters takes the JWT out of a body of any form.
func signedParameters(contentType string, body []byte) (string, error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", errBadBody
	}
	signed := ""
	switch kind {
	case typeForm:
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "", errBadBody
		}
		signed = form.Get(signedParam)
	case typeMultipart:
		if signed, err = partOf(body, params["boundary"]); err != nil {
			return "", errBadBody
		}
	case typeJSON:
		var object struct {
			Signed string `json:"signed_parameters"`
		}
		if json.Unmarshal(body, &object) != nil {
			return "", errBadBody
		}
		signed = object.Signed
	}
	if signed == "" {
		return "", errNotSigned
	}
	return signed, nil
}

// partOf reads the field from a multipart body, which is as long as it is.
func partOf(body []byte, boundary string) (string, error) {
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if part.FormName() == signedParam {
			value, err := io.ReadAll(part)
			return string(value), err
		}
	}
}

func bearer(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

const (
	// maxSigned bounds what may be hashed once for every node.
	maxSigned = 8 << 10
	// leeway is by how much the clock of a node may be off.
	leeway = time.Minute
)

// verified are the claims of a JWT that a node has signed with the method.
func verified(method jwt.SigningMethod, token string, secrets []b3scale.Secret, opts ...jwt.ParserOption) (jwt.MapClaims, error) {
	var keys jwt.VerificationKeySet
	for _, s := range secrets {
		if s != "" { // everybody can sign with nothing
			keys.Keys = append(keys.Keys, []byte(s.Reveal()))
		}
	}
	if len(token) > maxSigned || strings.ContainsAny(token, "\r\n") {
		return nil, errNotByANode
	}
	opts = append(opts, jwt.WithValidMethods([]string{method.Alg()}), jwt.WithJSONNumber(), jwt.WithLeeway(leeway))
	claims := jwt.MapClaims{}
	_, err := jwt.NewParser(opts...).ParseWithClaims(token, claims, func(token *jwt.Token) (any, error) {
		if _, found := token.Header["crit"]; found {
			return nil, errors.New("the token asks for an extension")
		}
		return keys, nil
	})
	if err != nil {
		// The library repeats nothing of the token.
		return nil, b3scale.Errorf(errNotByANode.Code, "%s", errNotByANode.Message).Because(err)
	}
	return claims, nil
}

// recordingReady is the payload for the frontend: the claims of the node, all
// but the meeting's id.
func recordingReady(f *b3scale.Frontend, t b3scale.CallbackTicket, signed string, secrets []b3scale.Secret) (payload []byte, meetingID string, err error) {
	claims, err := verified(jwt.SigningMethodHS256, signed, secrets)
	if err != nil {
		return nil, "", err
	}
	nodeID, ok := claims["meeting_id"].(string)
	if !ok {
		return nil, "", errNoMeeting
	}
	if meetingID, err = ownMeetingID(f, t, nodeID); err != nil {
		return nil, "", err
	}
	claims["meeting_id"] = meetingID
	if payload, err = json.Marshal(claims); err != nil {
		return nil, "", errBadBody
	}
	return payload, meetingID, nil
}
