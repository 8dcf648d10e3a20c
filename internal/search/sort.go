package search

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Order puts game sessions in order. The zero Order is by creation time.
type Order struct {
	by         operand
	descending bool
}

// Place is where a game session stands in an order. It can be kept and compared
// when the session has changed, or is gone.
type Place struct {
	Key string // sorts by bytes; see Order.Place
	ID  lift.GameSessionID
}

// maxKeyBytes bounds Place.Key. Texts are put in order by what fits in it, so
// that a place is short enough for a page token; property values always fit.
const maxKeyBytes = 400

// ParseSort reads a sort expression: an operand, then ASC or DESC, which is
// required (behaviour 5). An error is an *Error.
func ParseSort(expression string) (Order, error) {
	s := scanner{rest: expression, at: 1}
	name, err := s.next()
	if err != nil {
		return Order{}, err
	}
	if name.kind != wordToken {
		return Order{}, &Error{name.at, "an operand such as playerSessionCount must stand here, not " + name.shown()}
	}
	by, problem := operandNamed(name.text)
	if problem != "" {
		return Order{}, &Error{name.at, problem}
	}
	direction, err := s.next()
	if err != nil {
		return Order{}, err
	}
	if !direction.is("ASC") && !direction.is("DESC") {
		return Order{}, &Error{direction.at, fmt.Sprintf("ASC or DESC must follow %s, not %s", name.text, direction.shown())}
	}
	end, err := s.next()
	if err == nil && end.kind != endToken {
		err = &Error{end.at, "a sort expression has one operand and one direction; nothing may follow, as does " + end.shown()}
	}
	return Order{by: by, descending: direction.is("DESC")}, err
}

// Place returns where s stands. The first byte of the key says whether it has
// the value at all; those without come last whatever the direction.
func (o Order) Place(s *lift.GameSession) Place {
	by := o.by
	if by.of == nil {
		by = operands["creationTimeMillis"]
	}
	v := by.of(s)
	p := Place{ID: s.ID}
	switch {
	case v.missing:
		p.Key = "1"
	case by.kind == text:
		p.Key = "0" + v.text[:min(len(v.text), maxKeyBytes-1)]
	default:
		// With the sign bit turned, numbers sort as their digits do.
		p.Key = fmt.Sprintf("0%016x", uint64(v.number)^1<<63)
	}
	return p
}

// Compare is negative when a comes before b. Ties are broken by id.
func (o Order) Compare(a, b Place) int {
	missing := cmp.Compare(a.Key[:1], b.Key[:1])
	by := strings.Compare(a.Key, b.Key)
	if o.descending {
		by = -by
	}
	return cmp.Or(missing, by, cmp.Compare(a.ID, b.ID))
}
