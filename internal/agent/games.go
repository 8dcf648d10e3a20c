package agent

import (
	"context"
	"crypto/subtle"
	"net/http"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/sdk"
)

// games is the agent behind the door: it carries what processes say to the core
// and waits for what the core says.
type games struct{ s *shell }

// Connect lets in who has the instance's token and is a process of it.
func (g games) Connect(ctx context.Context, h sdk.Hello) error {
	s := g.s
	if subtle.ConstantTimeCompare([]byte(h.Token), []byte(s.token)) != 1 {
		return &sdk.Refusal{Status: http.StatusForbidden, Reason: "the token is not this instance's; use the GAMELIFT_SDK_AUTH_TOKEN of the environment"}
	}
	id := lift.ProcessID(h.Process.ID)
	if h.Process != s.process(id) {
		return &sdk.Refusal{Status: http.StatusForbidden, Reason: "FleetId or ComputeId is not this instance's; use the GAMELIFT_SDK_* variables of the environment"}
	}
	a, err := s.ask(ctx, func(call Call) Event {
		return Knocked{Call: call, ProcessID: id, SDKVersion: h.SDKVersion, SDKLanguage: h.SDKLanguage}
	})
	if err != nil {
		return err
	}
	if refusal := a.(Admit).Refusal; refusal != nil {
		return refusal
	}
	return nil
}

// Call has the core answer a request, itself or by way of the service.
func (g games) Call(ctx context.Context, p sdk.Process, r sdk.Request) (sdk.Reply, error) {
	a, err := g.s.ask(ctx, func(call Call) Event {
		return Asked{Call: call, ProcessID: lift.ProcessID(p.ID), Request: r}
	})
	if err != nil {
		return nil, err
	}
	answer := a.(Answer)
	if answer.Err != nil {
		return nil, answer.Err
	}
	return answer.Reply, nil
}

// Disconnected is no news: a process comes back, falls silent, or exits.
func (g games) Disconnected(p sdk.Process, at time.Time) {
	g.s.log.Debug("process has no socket", "process", p.ID, "since", at)
}

// ask posts a question and waits for the action that answers it.
func (s *shell) ask(ctx context.Context, question func(Call) Event) (Action, error) {
	call := Call(s.calls.Add(1))
	answer := make(chan Action, 1)
	s.waiting.Store(call, answer)
	defer s.waiting.Delete(call)
	s.post(question(call))
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.gone:
		return nil, sdk.Errorf(http.StatusBadRequest, "the instance has ended")
	}
}

// answer hands an action to the one who waits for it, if there still is one.
func (s *shell) answer(call Call, a Action) {
	if waiting, ok := s.waiting.Load(call); ok {
		waiting.(chan Action) <- a
	}
}
