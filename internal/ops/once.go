package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/chairlift-games/chairlift/internal/auth"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/store"
)

// retryWindow is how long a call is recognised when its client tries it again.
// The slowest known client gives up after five tries of a minute each.
const retryWindow = 10 * time.Minute

// once is change for a call that makes something new. SDKs send a call again
// when its answer was lost, under the same invocation id; such a retry gets what
// the first one made. The result is kept in a row of the same transaction, so
// this holds over a restart and for every server on the store. A refused call
// changed nothing and is carried out again.
//
// Clients that send no invocation id (Go SDK v1, JavaScript SDK v2) cannot be
// recognised: each of their calls is a new one.
func once[T any](ctx context.Context, s *Service, f func(*engine.Tx) (T, error)) (T, error) {
	id := auth.CallerFrom(ctx).CallID()
	if id == "" {
		return change(ctx, s, f)
	}
	return change(ctx, s, func(tx *engine.Tx) (out T, err error) {
		first, ok, err := store.Answers.Get(tx, id)
		if err != nil {
			return out, err
		}
		if ok {
			if err := json.Unmarshal(first.Result, &out); err != nil {
				return out, fmt.Errorf("reading the answer to the first try: %w", err)
			}
			return out, nil
		}
		if out, err = f(tx); err != nil {
			return out, err
		}
		result, err := json.Marshal(out)
		if err != nil {
			return out, fmt.Errorf("keeping the answer for a retry: %w", err)
		}
		return out, store.Answers.Put(tx, &store.Answer{Call: id, Result: result, KeepUntil: tx.Now.Add(retryWindow)})
	})
}
