package ops

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/chairlift-games/chairlift/api"
	"github.com/chairlift-games/chairlift/internal/engine"
	"github.com/chairlift-games/chairlift/internal/lift"
	"github.com/chairlift-games/chairlift/internal/store"
)

func (s *Service) DescribeRuntimeConfiguration(ctx context.Context, in *api.DescribeRuntimeConfigurationInput) (*api.DescribeRuntimeConfigurationOutput, error) {
	c := s.caller(ctx)
	return read(ctx, s, func(tx store.Tx) (*api.DescribeRuntimeConfigurationOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		return &api.DescribeRuntimeConfigurationOutput{RuntimeConfiguration: runtimeShape(f.Runtime)}, nil
	})
}

// UpdateRuntimeConfiguration replaces the configuration and tells it to every
// instance. Running processes stay (behaviour 2.5).
func (s *Service) UpdateRuntimeConfiguration(ctx context.Context, in *api.UpdateRuntimeConfigurationInput) (*api.UpdateRuntimeConfigurationOutput, error) {
	c := s.caller(ctx)
	if in.RuntimeConfiguration == nil {
		return nil, invalid("RuntimeConfiguration is required")
	}
	return change(ctx, s, func(tx *engine.Tx) (*api.UpdateRuntimeConfigurationOutput, error) {
		f, err := c.fleet(tx, in.FleetId)
		if err != nil {
			return nil, err
		}
		if err := changeable(f); err != nil {
			return nil, err
		}
		r := runtimeOf(in.RuntimeConfiguration)
		if err := checkLaunch(f, r); err != nil {
			return nil, err
		}
		if n := r.Total(); n > s.rules.Processes {
			return nil, lift.Errorf(lift.LimitExceeded, "an instance runs at most %d processes, the ConcurrentExecutions add up to %d", s.rules.Processes, n)
		}
		f.Runtime = r
		if err := reconfigure(tx, f); err != nil {
			return nil, err
		}
		return &api.UpdateRuntimeConfigurationOutput{RuntimeConfiguration: runtimeShape(r)}, nil
	})
}

// reconfigure saves a fleet with other settings, and tells them to the agent of
// every instance.
func reconfigure(tx *engine.Tx, f *lift.Fleet) error {
	f.Revision++
	if err := store.Fleets.Put(tx, f); err != nil {
		return err
	}
	is, err := store.Instances.All(tx, "fleet", string(f.ID)+"/")
	if err != nil {
		return err
	}
	for _, i := range is {
		if i.Status == lift.InstanceTerminating {
			continue
		}
		if err := tx.Emit(lift.Effect{To: lift.ToAgent(i.ID), Reconfigure: new(f.Reconfigure())}); err != nil {
			return err
		}
	}
	return nil
}

// firstRuntime is the runtime configuration of a new fleet: the one given, or
// the single process of the legacy members.
func (s *Service) firstRuntime(f *lift.Fleet, given *api.RuntimeConfiguration) (lift.RuntimeConfiguration, error) {
	r := runtimeOf(given)
	if len(r.ServerProcesses) == 0 && f.LaunchPath != "" {
		r.ServerProcesses = []lift.ServerProcess{{LaunchPath: f.LaunchPath, Parameters: f.LaunchParams, Count: 1}}
	}
	if n := r.Total(); n > s.rules.Processes {
		return r, invalid("an instance runs at most %d processes, the ConcurrentExecutions add up to %d", s.rules.Processes, n)
	}
	return r, checkLaunch(f, r)
}

// checkLaunch refuses a configuration that launches nothing, or something
// outside of the folder that builds are unpacked to.
func checkLaunch(f *lift.Fleet, r lift.RuntimeConfiguration) error {
	if len(r.ServerProcesses) == 0 {
		return invalid("RuntimeConfiguration.ServerProcesses is required: it says which executable of the build to launch")
	}
	for i, p := range r.ServerProcesses {
		if f.Windows() && !belowWindows(p.LaunchPath) {
			return invalid(`RuntimeConfiguration.ServerProcesses[%d].LaunchPath %q must begin with C:\game\, since the build's operating system is %s; if the server is for Linux, create the build with OperatingSystem AMAZON_LINUX_2023 and give a path below /local/game`, i, p.LaunchPath, f.OperatingSystem)
		}
		if !f.Windows() && !belowLinux(p.LaunchPath) {
			return invalid("RuntimeConfiguration.ServerProcesses[%d].LaunchPath %q must begin with /local/game/, since the build's operating system is %s", i, p.LaunchPath, f.OperatingSystem)
		}
	}
	return nil
}

func belowLinux(p string) bool {
	return strings.HasPrefix(p, "/local/game/") && strings.HasPrefix(path.Clean(p), "/local/game/")
}

func belowWindows(p string) bool {
	p = strings.ToLower(strings.ReplaceAll(p, `\`, "/"))
	rest, ok := strings.CutPrefix(p, "c:/game/")
	return ok && rest != "" && !slices.Contains(strings.Split(rest, "/"), "..")
}

func runtimeOf(in *api.RuntimeConfiguration) lift.RuntimeConfiguration {
	if in == nil {
		return lift.RuntimeConfiguration{}
	}
	r := lift.RuntimeConfiguration{
		MaxActivations:           or(in.MaxConcurrentGameSessionActivations, 0),
		ActivationTimeoutSeconds: or(in.GameSessionActivationTimeoutSeconds, 0),
	}
	for _, p := range in.ServerProcesses {
		r.ServerProcesses = append(r.ServerProcesses, lift.ServerProcess{LaunchPath: p.LaunchPath, Parameters: or(p.Parameters, ""), Count: p.ConcurrentExecutions})
	}
	return r
}

func runtimeShape(r lift.RuntimeConfiguration) *api.RuntimeConfiguration {
	out := &api.RuntimeConfiguration{
		ServerProcesses:                     make([]api.ServerProcess, len(r.ServerProcesses)),
		MaxConcurrentGameSessionActivations: positive(r.MaxActivations),
		GameSessionActivationTimeoutSeconds: positive(r.ActivationTimeoutSeconds),
	}
	for i, p := range r.ServerProcesses {
		out.ServerProcesses[i] = api.ServerProcess{LaunchPath: p.LaunchPath, Parameters: opt(p.Parameters), ConcurrentExecutions: p.Count}
	}
	return out
}

// positive is an optional number of an answer that is absent rather than 0.
func positive(n int) *int {
	if n == 0 {
		return nil
	}
	return &n
}
