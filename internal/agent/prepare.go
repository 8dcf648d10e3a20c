package agent

import (
	"fmt"
	"strings"
	"time"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// configure begins the preparation (behaviour 2.3).
func (c *Core) configure(now time.Time, config lift.Configure) {
	if c.config != nil {
		return
	}
	c.config = &config
	c.reconfigure(now, config.Fleet.Reconfigure())
	if c.drain != nil {
		return
	}
	c.report(now, lift.Event{Stage: &lift.StageReached{Stage: lift.StageDownloading, Address: c.o.Address}})
	c.prepare(now, lift.StageDownloading)
}

func (c *Core) prepare(now time.Time, s lift.Stage) {
	c.step, c.stepAt = s, now
	c.do(Prepare{s})
}

// stepDeadline is when the stage in progress is taken too long. Only the
// install script has one: a download waits for a service that is away, and the
// others end by themselves.
func (c *Core) stepDeadline() (time.Time, bool) {
	if c.step != lift.StageInstalling || c.aborted {
		return time.Time{}, false
	}
	return c.since(c.stepAt).Add(c.limits.Install), true
}

// prepared goes on to the next stage.
func (c *Core) prepared(now time.Time, ev Prepared) {
	if ev.Stage != c.step {
		return
	}
	c.step = ""
	if c.drain != nil {
		return
	}
	for _, n := range ev.Notices {
		c.report(now, lift.Event{Notice: &n})
	}
	if ev.Err != "" {
		c.stageFailed(now, ev)
		return
	}
	switch ev.Stage {
	case lift.StageDownloading:
		c.prepare(now, lift.StageExtracting)
	case lift.StageExtracting:
		c.reached(now, ev.Stage, ev.Message, ev.Log)
		if ev.Installer != "" {
			c.reached(now, lift.StageInstalling, "running "+ev.Installer, string(lift.StageInstalling))
			c.prepare(now, lift.StageInstalling)
			return
		}
		c.validate(now)
	case lift.StageInstalling:
		c.reached(now, lift.StageInstalled, ev.Message, ev.Log)
		c.validate(now)
	case lift.StageValidatingPaths:
		c.reached(now, ev.Stage, ev.Message, ev.Log)
		if code, why := judgePaths(ev.Paths); code != "" {
			c.fail(now, code, why, ev.Log)
			return
		}
		c.reached(now, lift.StageBuilding, "", "")
		c.prepare(now, lift.StageBuilding)
	case lift.StageBuilding:
		c.reached(now, lift.StageActivating, ev.Message, "")
		c.active = true
	}
}

func (c *Core) validate(now time.Time) {
	c.reached(now, lift.StageValidating, "", "")
	c.prepare(now, lift.StageValidatingPaths)
}

func (c *Core) reached(now time.Time, s lift.Stage, message, log string) {
	c.report(now, lift.Event{Stage: &lift.StageReached{Stage: s, Message: message, Log: log}})
}

// stageFailed names each failure as behaviour 2.3 does.
func (c *Core) stageFailed(now time.Time, ev Prepared) {
	code := lift.FleetInitializationFailed
	switch ev.Stage {
	case lift.StageDownloading:
		code = lift.FleetDownloadFailed
	case lift.StageExtracting:
		c.reached(now, ev.Stage, ev.Err, ev.Log)
	case lift.StageInstalling:
		code = lift.FleetFailedInstaller
		if c.aborted {
			ev.Err = fmt.Sprintf("The install script did not end within %s and was ended. %s", span(c.limits.Install), ev.Err)
		}
	}
	c.fail(now, code, ev.Err, ev.Log)
}

// fail gives the instance up. The service ends it when it has heard why.
func (c *Core) fail(now time.Time, code lift.EventCode, message, log string) {
	c.failed = true
	c.report(now, lift.Event{Failed: &lift.InstanceFailed{Code: code, Message: message, Log: log}})
}

// judgePaths fails an instance on which nothing can be launched. One good path
// is enough to go on (behaviour 2.3, note a); the others are reported when their
// launch fails.
func judgePaths(paths []PathCheck) (lift.EventCode, string) {
	var missing, unfit []string
	for _, p := range paths {
		switch {
		case p.Missing:
			missing = append(missing, p.Finding)
		case p.Unfit:
			unfit = append(unfit, p.Finding)
		default:
			return "", ""
		}
	}
	if len(unfit) > 0 {
		return lift.FleetExecutableFailure, "No launch path can be executed on this instance: " + strings.Join(append(unfit, missing...), "; ") + "."
	}
	return lift.FleetLaunchPathNotFound, "No launch path was found in the build: " + strings.Join(missing, "; ") + "."
}
