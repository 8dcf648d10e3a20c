package scenario

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// A Cast carries out what a scenario says. These acts are no operations of the
// API:
//
//	UploadBuild {"Name": "arena"}                a game server that plays one game, as BuildId
//	PlayerJoins {"PlayerSessionId": "psess-…"}   connects, and is let in; fails Denied if not
//	PlayerLeaves {"PlayerSessionId": "psess-…"}  who had joined
//	GameServerDies {"GameSessionId": "…"}        as by a bug of its own
//	ServiceDies {}                               and starts again
//
// The game is over, and its server ends, a few seconds after everybody left.
type Cast interface {
	// Do carries out one call or act and returns its answer as JSON holds it.
	// What was refused is a [Refusal].
	Do(op string, in map[string]any) (any, error)
	Now() time.Time
	Sleep(d time.Duration)
}

// A Refusal is an error that belongs to the answer.
type Refusal struct {
	Code, Message string
	// Doubtful says that an earlier try was not answered and may have worked,
	// which is why this one was refused: stopping what has stopped.
	Doubtful bool
}

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

// How long Play waits before it asks again, the first time and in the end.
const (
	firstPause = 25 * time.Millisecond
	lastPause  = 400 * time.Millisecond
)

// Play carries out the steps one after the other until one goes otherwise than
// it says. What is awaited must come within the patience.
func Play(steps []Step, c Cast, patience time.Duration) error {
	answers := map[string]any{}
	for _, s := range steps {
		if err := play(s, c, answers, patience); err != nil {
			return fmt.Errorf("line %d, %s: %w", s.Line, s.Op, err)
		}
	}
	return nil
}

func play(s Step, c Cast, answers map[string]any, patience time.Duration) error {
	if s.Pages != "" || s.Fault != "" {
		return errors.New("pages and faults are for journeys of AWS clients")
	}
	in, err := Fill(s.In, answers)
	if err != nil {
		return err
	}
	until, is := filled(s.Until, answers), filled(s.Is, answers)
	began := c.Now()
	out, err := c.Do(s.Op, in)
	for pause := firstPause; err == nil && Unmet(until, out) != "" && c.Now().Sub(began) < patience; pause = min(2*pause, lastPause) {
		c.Sleep(pause)
		out, err = c.Do(s.Op, in)
	}
	refusal, _ := errors.AsType[*Refusal](err)
	if refusal != nil && s.Fails != "" {
		if refusal.Code != s.Fails {
			return fmt.Errorf("%w; expected %s", err, s.Fails)
		}
		return s.Refused(refusal.Message)
	}
	if refusal != nil && refusal.Doubtful && s.Name == "" && len(until)+len(is) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if s.Fails != "" {
		return fmt.Errorf("no error, but %v; expected %s", out, s.Fails)
	}
	if why := Unmet(slices.Concat(until, is), out); why != "" {
		return fmt.Errorf("%s in %v", why, out)
	}
	if s.Name != "" {
		answers[s.Name] = out
	}
	return nil
}

// filled returns expectations with the values they refer to.
func filled(wants []Want, answers map[string]any) []Want {
	out := slices.Clone(wants)
	for i, w := range out {
		if v, err := Fill(map[string]any{"": w.Value}, answers); err == nil {
			out[i].Value = v[""].(string)
		}
	}
	return out
}
