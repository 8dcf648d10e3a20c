package ops

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"github.com/chairlift-games/chairlift/internal/store"
)

// Sizes of pages (behaviour 5.1).
const (
	pageDefault = 100
	pageMax     = 1000
)

// page is the part of a list that a request asks for. Its tokens hold the place
// of the last item, so items that come or go between two pages neither repeat
// nor hide others; and a seal over the place and everything that decides what
// is listed, so a token serves the request it was made for and no other.
type page struct {
	limit int
	after store.Cursor
	seal  []byte
	scope string
}

const sealBytes = 16

// page reads the paging members of a request. What is what else decides which
// items are listed: the operation and its filters.
func (s *Service) page(c caller, limit *int, token *string, what ...string) (page, error) {
	p := page{limit: min(or(limit, pageDefault), pageMax), seal: s.seal}
	if p.limit < 1 {
		return p, invalid("Limit must be at least 1, got %d", p.limit)
	}
	var scope []byte
	for _, w := range append([]string{c.Region}, what...) {
		scope = binary.AppendUvarint(scope, uint64(len(w)))
		scope = append(scope, w...)
	}
	p.scope = string(scope)
	if token != nil {
		place, ok := p.open(*token)
		if !ok {
			return p, invalid("this NextToken does not belong to this request: it must be one that the same operation returned, with the same filters, in the same region; leave it out to begin with the first page")
		}
		value, id, _ := strings.Cut(place, "\x00")
		p.after = store.Cursor{Value: value, ID: id}
	}
	return p, nil
}

// token makes the token of the page after the given place.
func (p page) token(at store.Cursor) *string {
	place := at.Value + "\x00" + at.ID
	return new(base64.RawURLEncoding.EncodeToString(append(p.sum(place), place...)))
}

func (p page) open(token string) (place string, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) < sealBytes {
		return "", false
	}
	place = string(b[sealBytes:])
	return place, hmac.Equal(b[:sealBytes], p.sum(place))
}

func (p page) sum(place string) []byte {
	h := hmac.New(sha256.New, p.seal)
	h.Write([]byte(p.scope))
	h.Write([]byte(place))
	return h.Sum(nil)[:sealBytes]
}

// list returns the page of the documents whose value in the index begins with
// prefix and that keep wants; nil wants all. The token is nil on the last page.
func list[T any](tx store.Tx, p page, t *store.Table[T], index, prefix string, keep func(*T) bool) ([]*T, *string, error) {
	const batch = 200
	var found []*T
	after := p.after
	for size := min(p.limit+1, batch); ; {
		vs, next, err := t.Scan(tx, index, prefix, after, size)
		if err != nil {
			return nil, nil, err
		}
		for _, v := range vs {
			if keep != nil && !keep(v) {
				continue
			}
			if len(found) == p.limit {
				return found, p.token(t.Cursor(found[p.limit-1], index)), nil
			}
			found = append(found, v)
		}
		if len(vs) < size {
			return found, nil, nil
		}
		after = next
		if keep != nil { // it is choosy: look at more
			size = batch
		}
	}
}
