// Package search is the language of SearchGameSessions: a filter says which
// game sessions are wanted, a sort expression in which order (behaviour 5).
//
// It is pure and knows nothing of stores, pages or the wire. Errors say at
// which character of the expression they are.
//
//	filter, err := search.ParseFilter(`playerSessionCount < 8 AND gameSessionProperties.map = 'river'`)
//	order, err := search.ParseSort(`playerSessionCount DESC`)
//	if filter.Matches(session) { … order.Place(session) … }
package search

import (
	"fmt"
	"strings"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Error says what is wrong with an expression, and where.
type Error struct {
	At  int // the character it is about, counted from 1
	Msg string
}

func (e *Error) Error() string { return fmt.Sprintf("at character %d: %s", e.At, e.Msg) }

// kind is what sort of values an operand has.
type kind int

const (
	text kind = iota
	number
	truth
)

func (k kind) String() string {
	return [...]string{"a text in quotes", "a whole number", "true or false"}[k]
}

// value is one value of an operand. Texts, numbers and truths are never
// compared with each other.
type value struct {
	missing bool
	text    string
	number  int64 // of a truth: 0 or 1
}

// operand is something that can be asked of a game session.
type operand struct {
	kind kind
	key  string // of a property; then of is nil
	of   func(*lift.GameSession) value
}

// propertyPrefix begins the operands for game properties; the key follows.
const propertyPrefix = "gameSessionProperties."

// operands are those that every game session has (behaviour 5).
var operands = map[string]operand{
	"gameSessionId":   {kind: text, of: func(s *lift.GameSession) value { return value{text: string(s.ID)} }},
	"gameSessionName": {kind: text, of: func(s *lift.GameSession) value { return value{missing: s.Name == "", text: s.Name} }},
	"maximumSessions": {kind: number, of: func(s *lift.GameSession) value { return value{number: int64(s.MaxPlayers)} }},
	"creationTimeMillis": {kind: number, of: func(s *lift.GameSession) value {
		return value{number: s.CreatedAt.UnixMilli()}
	}},
	"playerSessionCount": {kind: number, of: func(s *lift.GameSession) value { return value{number: int64(s.PlayerCount)} }},
	// Free slots count, whether or not the session takes players (behaviour 9
	// counts AvailablePlayerSessions the same way).
	"hasAvailablePlayerSessions": {kind: truth, of: func(s *lift.GameSession) value {
		if s.PlayerCount < s.MaxPlayers {
			return value{number: 1}
		}
		return value{}
	}},
}

// operandNamed finds an operand. The problem is empty when there is one.
func operandNamed(name string) (o operand, problem string) {
	if o, ok := operands[name]; ok {
		return o, ""
	}
	if key, ok := strings.CutPrefix(name, propertyPrefix); ok {
		switch {
		case key == "":
			return o, "a property key must follow " + propertyPrefix
		case strings.Contains(key, "."):
			return o, fmt.Sprintf("the property key %s holds a period; such keys cannot be searched", key)
		}
		return operand{kind: text, key: key, of: func(s *lift.GameSession) value { return property(s, key) }}, ""
	}
	if strings.HasPrefix(strings.ToLower(name), strings.ToLower(propertyPrefix)) {
		return o, fmt.Sprintf("operands are written with their capitals: %s%s", propertyPrefix, name[len(propertyPrefix):])
	}
	for known := range operands {
		if strings.EqualFold(known, name) {
			return o, "operands are written with their capitals: " + known
		}
	}
	return o, fmt.Sprintf("there is no operand %s; there are gameSessionId, gameSessionName, %s<key>, maximumSessions, creationTimeMillis, playerSessionCount and hasAvailablePlayerSessions", name, propertyPrefix)
}

func property(s *lift.GameSession, key string) value {
	for _, p := range s.Properties {
		if p.Key == key {
			return value{text: p.Value}
		}
	}
	return value{missing: true}
}
