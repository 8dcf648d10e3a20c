// Package host is the contract for starting and stopping instances, and what an
// agent does first when it was started by one.
//
// A host only starts and stops agents: what runs on an instance, and whether it
// is well, the agent and the service know between them. hosttest proves an
// implementation; host/local is the one for this machine.
//
//	err := h.Start(ctx, host.Spec{ID: id, Server: "unix:/run/chairlift/agent.sock", Token: token})
//
// On the other side the agent begins with
//
//	lease, err := host.Enter()
//	defer lease.Close()
//	connect(lease.Place.Server, lease.Place.Token)
//	lease.Start(exec.Command(gameServer)) // ends with the agent, whatever ends it
//
// An instance is found again by the lock its anchor holds and the socket it
// listens on, never by a process id that was written down. The anchor is the
// first process of an instance: on Linux a small init, which ends everything
// of the instance when its agent has ended; elsewhere the agent itself.
package host

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// Host starts and stops agents. Its methods may be called at once, also for
// one instance.
type Host interface {
	// Start starts the agent of an instance and returns when it runs. Starting
	// an instance again changes nothing, also after it has exited or was
	// stopped: an effect may arrive twice and late. When Start returns an error
	// nothing of the instance is left running, and it may be tried again.
	Start(ctx context.Context, s Spec) error
	// Stop ends the agent and everything it launched, now, and forgets the
	// instance and its folder. Stopping what is not there is no error.
	Stop(ctx context.Context, id lift.InstanceID) error
	// List gives the instances that were started and not stopped, by id; also
	// those an earlier process of the service started.
	List(ctx context.Context) ([]Instance, error)
}

// Spec is what a host needs to know to start an instance.
type Spec struct {
	ID lift.InstanceID
	// Server is where the agent reaches the service: "unix:" and a path, or a
	// ws:// or wss:// URL. A unix socket lies in a folder of its own, which is
	// shown to the instance whole, so that a socket made anew is seen.
	Server string
	// Token is the secret the agent presents there.
	Token string
	// CPUs and MemoryMB bound the instance where the host can; 0 is no bound.
	CPUs     float64
	MemoryMB int
}

// Check says what is wrong with s.
func (s Spec) Check() error {
	switch {
	case !idPattern.MatchString(string(s.ID)):
		return fmt.Errorf("instance id %q: an id is 1 to 64 letters, digits and dashes", s.ID)
	case s.Server == "":
		return fmt.Errorf("instance %s: the address of the service is missing", s.ID)
	case strings.HasPrefix(s.Server, "unix:") && !filepath.IsAbs(strings.TrimPrefix(s.Server, "unix:")):
		return fmt.Errorf("instance %s: the path of the service's socket, %s, is not absolute", s.ID, s.Server)
	case s.CPUs < 0 || s.MemoryMB < 0:
		return fmt.Errorf("instance %s: limits cannot be negative", s.ID)
	}
	return nil
}

// Ids become names of folders and sockets.
var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

// State says whether an instance's agent lives.
type State string

const (
	Running State = "running"
	Exited  State = "exited"
)

// Instance is one instance as its host sees it.
type Instance struct {
	ID lift.InstanceID
	// Address is the IP at which its game servers are reached.
	Address string
	State   State
	Exit    Exit // when Exited
}

// Exit is how an agent ended.
type Exit struct {
	Code   int       // -1 if it was killed or nobody saw it end
	Reason string    // a sentence
	At     time.Time // zero if nobody saw it end
}
