package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Policy is an IAM policy document: what its holder may do. Nothing is allowed
// unless a statement allows it, and a statement that denies wins over all that allow.
type Policy struct {
	Version    string      `json:"Version,omitempty"`
	ID         string      `json:"Id,omitempty"`
	Statements []Statement `json:"Statement"`
}

// A Statement allows or denies actions on resources.
type Statement struct {
	SID         string   `json:"Sid,omitempty"`
	Effect      Effect   `json:"Effect"`
	Action      Patterns `json:"Action,omitempty"`
	NotAction   Patterns `json:"NotAction,omitempty"` // all actions but these
	Resource    Patterns `json:"Resource,omitempty"`
	NotResource Patterns `json:"NotResource,omitempty"`
}

// An Effect is what a statement does.
type Effect string

const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Patterns are names in which * stands for any text and ? for one character.
// A document may give a single one without a list.
type Patterns []string

func (p *Patterns) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*p = Patterns{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(p))
}

// Everything is the policy that allows everything.
func Everything() Policy {
	return Policy{Statements: []Statement{{Effect: Allow, Action: Patterns{"*"}, Resource: Patterns{"*"}}}}
}

// maxPolicy bounds a policy document, in bytes.
const maxPolicy = 64 << 10

// ParsePolicy reads a policy document. What it cannot honour, such as a Condition,
// is an error: ignoring it would allow more than was meant.
func ParsePolicy(text []byte) (Policy, error) {
	if len(text) > maxPolicy {
		return Policy{}, fmt.Errorf("a policy may have at most %d bytes, this one has %d", maxPolicy, len(text))
	}
	if err := unambiguous(text); err != nil {
		return Policy{}, fmt.Errorf("reading the policy: %w", err)
	}
	var doc struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := strict(text, &doc); err != nil {
		return Policy{}, fmt.Errorf("reading the policy: %w", err)
	}
	p := Policy{Version: doc.Version, ID: doc.ID}
	if doc.Version != "" && doc.Version != "2012-10-17" && doc.Version != "2008-10-17" {
		return Policy{}, fmt.Errorf("the policy's Version %q is unknown; use 2012-10-17", doc.Version)
	}
	statements := bytes.TrimSpace(doc.Statement)
	if bytes.HasPrefix(statements, []byte("{")) { // a single one may stand without a list
		statements = append(append([]byte("["), statements...), ']')
	}
	if len(statements) == 0 {
		return Policy{}, errors.New("the policy has no Statement")
	}
	if err := strict(statements, &p.Statements); err != nil {
		return Policy{}, fmt.Errorf("reading the policy's Statement: %w", err)
	}
	for i, s := range p.Statements {
		if err := s.check(); err != nil {
			return Policy{}, fmt.Errorf("in Statement[%d] of the policy: %w", i, err)
		}
	}
	return p, nil
}

// strict decodes JSON and refuses members that v does not have.
func strict(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("text after the end of the document")
	}
	return nil
}

// unambiguous refuses a document that names a member twice, of which readers
// would take one or the other, and members that IAM knows and we do not.
func unambiguous(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	var walk func() error
	walk = func() error {
		t, err := d.Token()
		if err != nil {
			return err
		}
		if t != json.Delim('{') && t != json.Delim('[') {
			return nil
		}
		seen := map[string]bool{}
		for d.More() {
			if t == json.Delim('{') {
				name, err := d.Token()
				if err != nil {
					return err
				}
				folded := strings.ToLower(name.(string)) // the decoder allows only strings here
				switch {
				case seen[folded]:
					return fmt.Errorf("%s is given twice", name)
				case folded == "condition":
					return errors.New("the element Condition is not supported here, and ignoring it would allow more than is meant; leave it out, or make a key of its own for each case")
				case folded == "principal" || folded == "notprincipal":
					return fmt.Errorf("%s has no meaning here: the policy belongs to the key it is made for; leave it out", name)
				}
				seen[folded] = true
			}
			if err := walk(); err != nil {
				return err
			}
		}
		_, err = d.Token() // the end
		return err
	}
	return walk()
}

func (s *Statement) check() error {
	switch {
	case s.Effect != Allow && s.Effect != Deny:
		return fmt.Errorf("Effect must be Allow or Deny, not %q", s.Effect)
	case (len(s.Action) == 0) == (len(s.NotAction) == 0):
		return errors.New("give either Action or NotAction")
	case (len(s.Resource) == 0) == (len(s.NotResource) == 0):
		return errors.New("give either Resource or NotResource")
	}
	for _, r := range slices.Concat(s.Resource, s.NotResource) {
		if strings.Contains(r, "${") {
			return fmt.Errorf("the resource %q has a policy variable, which is not supported here; write out what it stands for", r)
		}
	}
	for _, a := range slices.Concat(s.Action, s.NotAction) {
		if service, name, ok := strings.Cut(a, ":"); a != "*" && (!ok || service == "" || name == "") {
			return fmt.Errorf("the action %q must have the form service:Operation, or be *", a)
		}
	}
	return nil
}

// A Decision is whether something is allowed, and why not.
type Decision struct {
	Allowed bool
	Reason  string // empty if allowed
}

// Allowed decides about one action on one resource.
func (p Policy) Allowed(action, resource string) Decision {
	allowed, near := false, false
	for i := range p.Statements {
		s := &p.Statements[i]
		if !s.covers(action) {
			continue
		}
		if !s.concerns(resource) {
			near = near || s.Effect == Allow
			continue
		}
		if s.Effect == Deny {
			name := s.SID
			if name == "" {
				name = fmt.Sprintf("number %d", i+1)
			}
			return Decision{Reason: "statement " + name + " of the key's policy denies it."}
		}
		allowed = true
	}
	switch {
	case allowed:
		return Decision{Allowed: true}
	case near:
		return Decision{Reason: "the key's policy allows the action, but not on this resource. Add the resource to its statement."}
	}
	return Decision{Reason: "no statement of the key's policy allows the action. Add one with Effect Allow and this Action and Resource."}
}

// covers compares actions without regard to case, as IAM does.
func (s *Statement) covers(action string) bool {
	if len(s.NotAction) > 0 {
		return !s.NotAction.match(action, true)
	}
	return s.Action.match(action, true)
}

func (s *Statement) concerns(resource string) bool {
	if len(s.NotResource) > 0 {
		return !s.NotResource.match(resource, false)
	}
	return s.Resource.match(resource, false)
}

func (p Patterns) match(s string, fold bool) bool {
	if fold {
		s = strings.ToLower(s)
	}
	for _, pattern := range p {
		if fold {
			pattern = strings.ToLower(pattern)
		}
		if glob(pattern, s) {
			return true
		}
	}
	return false
}

// glob matches s with a pattern of * and ?, in time of at most their product: it
// returns to the last star only.
func glob(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
