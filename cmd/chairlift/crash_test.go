//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/gamelift"

	"github.com/chairlift-games/chairlift/internal/host"
	"github.com/chairlift-games/chairlift/internal/store/pgtest"
)

const (
	kills     = 20
	instances = 2  // at the end; the second one comes while the service is killed
	processes = 12 // on each
	parties   = 6  // at once
	residents = 2  // sessions that last the whole time

	minUptime   = 50 * time.Millisecond
	longUptime  = 500 * time.Millisecond
	lastMoments = 100 * time.Millisecond

	settleWithin = 30 * time.Second // a busy machine may need it
)

// TestKilledService kills the service twenty times while players come and go,
// and then compares three accounts of what happened: what clients were told,
// what game servers wrote down, and what the API says. Games may notice a pause
// and nothing else.
func TestKilledService(t *testing.T) {
	all := modes(t)
	t.Parallel()
	for _, mode := range all {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			killedService(t, mode, kills)
		})
	}
}

// TestKilledServiceOnPostgres is the same on the other database.
func TestKilledServiceOnPostgres(t *testing.T) {
	address := pgtest.URL(t)
	t.Parallel()
	killedService(t, "shared", kills/4, "--store", address)
}

func killedService(t *testing.T, mode string, kills int, args ...string) {
	c := newCrash(t, mode, args...)
	defer c.tell()
	c.load()
	c.killOften(func() bool { return len(c.ready) >= kills })
	c.unload(2 * settleWithin)
	if found := c.settle(settleWithin); len(found) > 0 {
		t.Fatalf("after %d kills:\n%s", kills, report(found))
	}
	c.dismiss()
	if found := c.settle(settleWithin); len(found) > 0 {
		t.Fatalf("after the last players left:\n%s", report(found))
	}
	c.delete()
}

// TestKilledServiceThatForgets proves that the test above can fail: a service
// that does not send again what was not confirmed loses game sessions.
func TestKilledServiceThatForgets(t *testing.T) {
	all := modes(t)
	t.Parallel()
	c := newCrash(t, all[len(all)-1], "--no-replay")
	c.load()
	c.killOften(func() bool { return c.unheard >= 2 || len(c.ready) >= kills })
	c.unload(3 * time.Second)
	c.canary()
	lost := 0
	found := c.settle(3 * time.Second)
	for _, f := range found {
		if strings.Contains(f, neverTold) {
			lost++
		}
	}
	if lost == 0 {
		t.Fatalf("nothing was lost although nothing was sent again; found was\n%s", report(found))
	}
	t.Logf("%d game sessions were lost, %d findings", lost, len(found))
}

// crash is a service that is killed under load, and what is known about it.
type crash struct {
	*service
	gl    *gamelift.Client
	fleet string
	queue string
	*ledger
	journals *journals

	ctx     context.Context // of everything clients do
	cancel  context.CancelFunc
	stay    context.Context // of the residents
	leave   context.CancelFunc
	enough  chan struct{} // closed: no new parties
	parties sync.WaitGroup
	stayers sync.WaitGroup
	want    expectation

	ready   []time.Duration // how long each start after a kill took
	unheard int             // promises no agent could hear
}

func newCrash(t *testing.T, mode string, args ...string) *crash {
	c := &crash{service: serve(t, mode, args...), queue: "q", ledger: newLedger(), enough: make(chan struct{})}
	c.gl = c.client(func(o *gamelift.Options) { o.Retryer = aws.NopRetryer{} })
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.stay, c.leave = context.WithCancel(c.ctx)
	t.Cleanup(func() { // before the service ends
		c.cancel()
		c.parties.Wait()
		c.stayers.Wait()
	})
	c.journals = newJournals(t, filepath.Join(c.data, "host", "instances", "*", "game", "journal"))
	c.fleet = c.up(filepath.Join(bin, "arena"), "--processes", fmt.Sprint(processes),
		"--params=-port 0 -linger 500ms -journal /local/game/journal")
	_, err := c.gl.CreateGameSessionQueue(c.ctx, &gamelift.CreateGameSessionQueueInput{
		Name: &c.queue, TimeoutInSeconds: new(int32(600)),
		Destinations: fleetDestination(c.fleet),
	})
	if err != nil {
		t.Fatal(err)
	}
	c.want = expectation{instances: 1}
	return c
}

// killOften kills the service, at any moment or right after it has promised
// something, and starts it again, until it is enough. In the last moments one
// side may not hear the other.
func (c *crash) killOften(enough func() bool) {
	c.t.Helper()
	for round, unheard := 0, 2; !enough(); round++ {
		if round == 1 {
			c.grow()
		}
		m, err := stand(c.data)
		if err != nil {
			c.t.Fatal(err)
		}
		time.Sleep(minUptime + rand.N(longUptime-minUptime))
		if side := round % 3; side < 2 {
			m.hold(side)
			time.Sleep(lastMoments)
		}
		c.untilPromise(lastMoments)
		c.kill()
		m.leave()
		c.journals.find()
		if round >= unheard && c.promiseUnheard(round) {
			unheard = round + 4
		}
		c.restart()
	}
}

func (c *crash) restart() {
	c.t.Helper()
	began := time.Now()
	c.start()
	c.ready = append(c.ready, time.Since(began))
}

// untilPromise waits until a client was promised something new, or for that
// long.
func (c *crash) untilPromise(limit time.Duration) {
	select {
	case <-c.acked: // before
	default:
	}
	select {
	case <-c.acked:
	case <-time.After(limit):
	}
}

// promiseUnheard starts the service while its agents cannot listen, has it
// promise a game session, and kills it again. The one after it has to know. It
// returns false if no process was idle.
func (c *crash) promiseUnheard(round int) bool {
	c.t.Helper()
	agents := c.agents()
	if len(agents) == 0 {
		c.t.Fatal("no agent is to be found")
	}
	signal := func(s os.Signal) {
		for _, p := range agents {
			if err := p.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
				c.t.Errorf("agent %d: %v", p.Pid, err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	defer signal(syscall.SIGCONT)
	c.restart()
	made := c.tryCreate(fmt.Sprint("unheard-", round))
	c.kill()
	if made == nil {
		return false
	}
	c.unheard++
	c.parties.Go(func() { c.playIn(*made.GameSessionId) })
	return true
}

// agents are those of this service's instances.
func (c *crash) agents() []*os.Process {
	var found []*os.Process
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || !bytes.Contains(b, []byte(host.EnvDir+"="+c.data)) || bytes.Contains(b, []byte("CHAIRLIFT_HOST_STAGE=")) {
			continue // the last are the first processes of instances
		}
		pid, _ := strconv.Atoi(strings.Split(f, "/")[2])
		if p, err := os.FindProcess(pid); err == nil {
			found = append(found, p)
		}
	}
	return found
}

// settle looks until everything is as it should be, and returns what is not
// when nothing has changed for so long.
func (c *crash) settle(patience time.Duration) []string {
	c.t.Helper()
	var last []string
	for changed := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		found := c.audit()
		slices.Sort(found)
		switch {
		case len(found) == 0:
			return nil
		case !slices.Equal(found, last):
			last, changed = found, time.Now()
		case time.Since(changed) > patience:
			return found
		}
	}
}

// delete deletes the fleet and kills the service once more; nothing may be left.
func (c *crash) delete() {
	c.t.Helper()
	if _, err := c.gl.DeleteFleet(c.ctx, &gamelift.DeleteFleetInput{FleetId: &c.fleet}); err != nil {
		c.t.Fatal(err)
	}
	c.kill()
	c.start()
	var left []string
	defer func() {
		if c.t.Failed() {
			c.t.Logf("left are\n%s", report(left))
		}
	}()
	eventually(c.t, time.Minute, "nothing is left of the fleet", func() bool {
		left = c.processes()
		for id := range gamesOf(c.fleet) {
			left = append(left, "server process "+id)
		}
		folders, _ := filepath.Glob(filepath.Join(c.data, "host", "instances", "*"))
		left = append(left, folders...)
		return len(left) == 0
	})
}

// report lists findings, not too many.
func report(found []string) string {
	const most = 40
	if len(found) > most {
		found = append(found[:most:most], fmt.Sprintf("and %d more", len(found)-most))
	}
	return "  " + strings.Join(found, "\n  ")
}
