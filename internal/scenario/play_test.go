package scenario

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// script is a cast that answers from a list.
type script struct {
	now     time.Time
	answers []any // an error is one, too
}

func (s *script) Now() time.Time        { return s.now }
func (s *script) Sleep(d time.Duration) { s.now = s.now.Add(d) }
func (s *script) Do(string, map[string]any) (any, error) {
	a := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	if err, ok := a.(error); ok {
		return nil, err
	}
	return a, nil
}

func status(s string) any { return map[string]any{"Status": s} }

func TestPlay(t *testing.T) {
	refused := &Refusal{Code: "NotFoundException", Message: "there is none"}
	doubtful := &Refusal{Code: "NotFoundException", Doubtful: true}
	for _, test := range []struct {
		name, text string
		answers    []any
		want       string // of the error; empty: none
	}{
		{"is", "A {}\n  is Status NEW", []any{status("NEW")}, ""},
		{"is not", "A {}\n\nB {}\n  is Status NEW", []any{status(""), status("OLD")}, "line 3, B: Status is OLD, not NEW"},
		{"until", "A {}\n  until Status OLD", []any{status("NEW"), status("NEW"), status("OLD")}, ""},
		{"never", "A {}\n  until Status OLD", []any{status("NEW")}, "line 1, A: Status is NEW, not OLD"},
		{"fails", "A {}\n  fails NotFoundException", []any{refused}, ""},
		{"fails otherwise", "A {}\n  fails ConflictException", []any{refused}, "NotFoundException: there is none; expected ConflictException"},
		{"does not fail", "A {}\n  fails NotFoundException", []any{status("NEW")}, "no error"},
		{"refused", "A {}", []any{refused}, "NotFoundException"},
		{"in doubt", "A {}", []any{doubtful}, ""},
		{"in doubt, and an answer is wanted", "A {}\n  is Status NEW", []any{doubtful}, "NotFoundException"},
		{"refers", "a = A {}\nB {}\n  is Status ${a.Status}", []any{status("NEW")}, ""},
		{"refers to nothing", "a = A {}\nB {\"C\": \"${a.Name}\"}", []any{status("NEW")}, "${a.Name} leads nowhere"},
		{"of a journey", "A {}\n  pages List", []any{status("NEW")}, "journeys of AWS clients"},
	} {
		t.Run(test.name, func(t *testing.T) {
			steps, err := Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			err = Play(steps, &script{answers: test.answers}, time.Minute)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestClientRepeats breaks the first answers: the next tries carry the same
// invocation id, and a refusal after them is doubtful.
func TestClientRepeats(t *testing.T) {
	var ids []string
	s := &script{}
	c := &Client{URL: "http://test", Region: "us-west-2", Now: s.Now, Sleep: s.Sleep, HTTP: transport(func(r *http.Request) (*http.Response, error) {
		ids = append(ids, r.Header.Get("Amz-Sdk-Invocation-Id"))
		answer := func(code int, body string) (*http.Response, error) {
			return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body))}, nil
		}
		switch len(ids) {
		case 1:
			return nil, io.ErrUnexpectedEOF
		case 2:
			return answer(500, `{"__type": "InternalServiceException"}`)
		case 3:
			return answer(400, `{"__type": "com.amazonaws.gamelift#NotFoundException", "Message": "gone"}`)
		}
		return answer(200, `{"FleetIds": ["a"]}`)
	})}
	_, err := c.Call("DeleteFleet", nil)
	refusal, ok := err.(*Refusal)
	if !ok || *refusal != (Refusal{Code: "NotFoundException", Message: "gone", Doubtful: true}) {
		t.Errorf("got %#v", err)
	}
	out, err := c.Call("ListFleets", nil)
	if id, _ := At(out, "FleetIds.0"); err != nil || id != "a" {
		t.Errorf("got %v, %v", out, err)
	}
	if len(ids) != 4 || ids[0] != ids[1] || ids[1] != ids[2] || ids[2] == ids[3] {
		t.Errorf("invocation ids %v", ids)
	}
}
