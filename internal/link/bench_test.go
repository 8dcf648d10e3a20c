package link

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// noop is a Service that handles everything and keeps nothing but the last
// number of each agent.
type noop struct {
	*service
	last sync.Map // lift.InstanceID to uint64
}

func (n *noop) Resume(_ context.Context, id lift.InstanceID) (uint64, []lift.Effect, error) {
	last, _ := n.last.Load(id)
	seq, _ := last.(uint64)
	return seq, nil, nil
}

func (n *noop) Handle(_ context.Context, id lift.InstanceID, b Batch) (Ack, error) {
	var a Ack
	for i := range b.Events {
		a.UpTo = b.Events[i].Seq
		if b.Events[i].Event.WantsReply() {
			a.Replies = append(a.Replies, NumberedReply{a.UpTo, lift.Reply{Status: 200}})
		}
	}
	n.last.Store(id, a.UpTo)
	return a, nil
}

// BenchmarkReport is one event, from Report to handled, over a unix socket.
func BenchmarkReport(b *testing.B) {
	for _, agents := range []int{1, 200} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			links := connected(b, agents)
			ev := lift.Event{ProcessExited: &lift.ProcessExited{ProcessID: "01890000-0000-7000-8000-000000000000", Message: "launchPath(/local/game/server), exit code 0"}}
			ctx := context.Background()
			i := 0
			for b.Loop() {
				if err := links[i%agents].Report(ctx, ev); err != nil {
					b.Fatal(err)
				}
				i++
			}
			for _, a := range links {
				if err := a.Flush(ctx); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkAsk is one question and its reply, over a unix socket, with as many
// callers at once as there are agents.
func BenchmarkAsk(b *testing.B) {
	for _, agents := range []int{1, 200} {
		b.Run(fmt.Sprintf("agents=%d", agents), func(b *testing.B) {
			links := connected(b, agents)
			ev := lift.Event{AcceptPlayer: &lift.AcceptPlayer{ProcessID: "01890000-0000-7000-8000-000000000000"}}
			var wg sync.WaitGroup
			n := make(chan struct{}, agents)
			for _, a := range links {
				wg.Go(func() {
					for range n {
						if _, err := a.Ask(context.Background(), ev); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for b.Loop() {
				n <- struct{}{}
			}
			close(n)
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "questions/s")
		})
	}
}

func connected(b *testing.B, agents int) []*Agent {
	hub := NewHub(HubOptions{Service: &noop{service: newService()}})
	server := unixHub(b, hub)
	links := make([]*Agent, agents)
	for i := range links {
		links[i] = run(b, server, lift.InstanceID(fmt.Sprintf("i-%d", i)))
	}
	for _, a := range links {
		a.Report(context.Background(), lift.Event{Stopped: &lift.Stopped{}})
		if err := a.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	return links
}
