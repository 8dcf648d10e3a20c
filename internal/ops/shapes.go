package ops

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

// shapes turns nouns into what the API calls them. An empty list is there, so
// that clients see [] and not nothing.
func shapes[N, S any](ns []*N, shape func(*N) *S) []S {
	out := make([]S, len(ns))
	for i, n := range ns {
		out[i] = *shape(n)
	}
	return out
}

// noGateway is the status of the player gateway of everything: it is not built.
const noGateway = "DISABLED"

// under refuses one more document when limit of them are there already.
func under[T any](tx store.Tx, limit int, t *store.Table[T], index, prefix string) error {
	if limit == 0 {
		return nil
	}
	vs, _, err := t.Scan(tx, index, prefix, store.Cursor{}, limit)
	if err == nil && len(vs) == limit {
		err = lift.Errorf(lift.LimitExceeded, "no further %s can be made in this region: the limit is %d; delete one first", t.Noun(), limit)
	}
	return err
}

// newID makes an id before the transaction that uses it.
func (s *Service) newID(ctx context.Context) (string, error) {
	return change(ctx, s, func(tx *engine.Tx) (string, error) { return tx.NewID(), nil })
}

// isKind reports whether err is a failure of this kind.
func isKind(err error, k lift.Kind) bool {
	le, ok := errors.AsType[*lift.Error](err)
	return ok && le.Kind == k
}

// digest recognises a repeated request: equal values have equal digests.
func digest(request any) (string, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

func properties(in []api.GameProperty) []lift.Property {
	out := make([]lift.Property, 0, len(in))
	for _, p := range in {
		out = append(out, lift.Property{Key: p.Key, Value: p.Value})
	}
	return out
}

func propertyShapes(in []lift.Property) []api.GameProperty {
	out := make([]api.GameProperty, len(in))
	for i, p := range in {
		out[i] = api.GameProperty{Key: p.Key, Value: p.Value}
	}
	return out
}

// inMember says which member of the request a failure is about.
func inMember(err error, format string, args ...any) error {
	if le, ok := errors.AsType[*lift.Error](err); ok {
		return lift.Errorf(le.Kind, "%s: %s", fmt.Sprintf(format, args...), le.Msg)
	}
	return err
}
