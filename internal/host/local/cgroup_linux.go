package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/chairlift-games/chairlift/internal/lift"
)

// limiter puts instances into cgroups: of version 2 where it has the
// controller, else of version 1, as hybrid machines have both. The zero value
// limits nothing.
type limiter struct {
	name   string // of the group all instances' groups lie in
	cpu    controller
	memory controller
}

type controller struct {
	name  string
	mount string // empty: not there
	v2    bool
}

// newLimiter finds the controllers and says what is missing.
func newLimiter(tag string) (limiter, string) {
	l := limiter{name: "chairlift-" + tag}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return limiter{}, noLimits(err)
	}
	found := cgroupMounts(string(mounts))
	var errs []error
	for name, c := range map[string]*controller{"cpu": &l.cpu, "memory": &l.memory} {
		*c = found[name]
		if c.mount == "" {
			errs = append(errs, fmt.Errorf("no cgroup controller %s", name))
		} else if err := c.open(l.name); err != nil {
			errs = append(errs, err)
			*c = controller{}
		}
	}
	l.clean()
	if len(errs) > 0 {
		return l, noLimits(errors.Join(errs...))
	}
	return l, ""
}

func noLimits(err error) string {
	return fmt.Sprintf("Instances have no limits of processor time or memory (%s): instance types only count there.", strings.ReplaceAll(err.Error(), "\n", "; "))
}

// cgroupMounts reads where the controllers are: "cpu", "memory".
func cgroupMounts(mountinfo string) map[string]controller {
	found := map[string]controller{}
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		at := left[4]
		switch right[0] {
		case "cgroup":
			for _, name := range strings.Split(right[2], ",") {
				if name == "cpu" || name == "memory" {
					found[name] = controller{name, at, false}
				}
			}
		case "cgroup2":
			text, err := os.ReadFile(filepath.Join(at, "cgroup.controllers"))
			if err != nil {
				continue
			}
			for _, name := range strings.Fields(string(text)) {
				if _, v1 := found[name]; !v1 && (name == "cpu" || name == "memory") {
					found[name] = controller{name, at, true}
				}
			}
		}
	}
	return found
}

// open makes the group all instances' groups lie in.
func (c controller) open(group string) error {
	if c.v2 {
		if err := write(filepath.Join(c.mount, "cgroup.subtree_control"), "+"+c.name); err != nil {
			return err
		}
	}
	dir := filepath.Join(c.mount, group)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if c.v2 {
		return write(filepath.Join(dir, "cgroup.subtree_control"), "+"+c.name)
	}
	return nil
}

func write(path, value string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// groups are the folders of an instance, one for each hierarchy in use.
func (l limiter) groups(id lift.InstanceID) []string {
	var dirs []string
	for _, c := range []controller{l.cpu, l.memory} {
		if c.mount != "" {
			dirs = append(dirs, filepath.Join(c.mount, l.name, string(id)))
		}
	}
	return slices.Compact(dirs)
}

// add puts a process that has no children yet into its instance's groups.
func (l limiter) add(id lift.InstanceID, pid int, cpus float64, memoryMB int) error {
	for _, c := range []controller{l.cpu, l.memory} {
		if c.mount == "" {
			continue
		}
		if err := c.open(l.name); err != nil {
			return fmt.Errorf("limiting the instance: %w", err)
		}
	}
	for _, dir := range l.groups(id) {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("limiting the instance: %w", err)
		}
	}
	set := func(c controller, value string, file string) error {
		return write(filepath.Join(c.mount, l.name, string(id), file), value)
	}
	const period = 100_000 // microseconds
	quota := max(int64(cpus*period), 1000)
	bytes := int64(memoryMB) << 20
	var errs []error
	if c := l.cpu; c.mount != "" && cpus > 0 {
		if c.v2 {
			errs = append(errs, set(c, fmt.Sprintf("%d %d", quota, period), "cpu.max"))
		} else {
			errs = append(errs, set(c, strconv.Itoa(period), "cpu.cfs_period_us"), set(c, strconv.FormatInt(quota, 10), "cpu.cfs_quota_us"))
		}
	}
	if c := l.memory; c.mount != "" && bytes > 0 {
		if c.v2 {
			errs = append(errs, set(c, strconv.FormatInt(bytes, 10), "memory.max"))
			set(c, "0", "memory.swap.max") // not there without swap
		} else {
			errs = append(errs, set(c, strconv.FormatInt(bytes, 10), "memory.limit_in_bytes"))
			set(c, strconv.FormatInt(bytes, 10), "memory.memsw.limit_in_bytes")
		}
	}
	for _, dir := range l.groups(id) {
		errs = append(errs, write(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(pid)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("limiting the instance: %w", err)
	}
	return nil
}

// pids are the processes of an instance.
func (l limiter) pids(id lift.InstanceID) (pids []int) {
	for _, dir := range l.groups(id) {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if err != nil {
			continue
		}
		for _, word := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	return nil
}

// kill ends the processes of an instance, those they start meanwhile included.
func (l limiter) kill(id lift.InstanceID) error {
	for range 500 {
		pids := l.pids(id)
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			fd, err := unix.PidfdOpen(pid, 0)
			if err != nil {
				continue // it has ended
			}
			if slices.Contains(l.pids(id), pid) { // still, so the descriptor is of the right one
				unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
			}
			unix.Close(fd)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("processes %v of instance %s do not end", l.pids(id), id)
}

// wait returns when no process of the instance is left.
func (l limiter) wait(id lift.InstanceID) error {
	for range 500 {
		if len(l.pids(id)) == 0 {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("processes %v of instance %s do not end", l.pids(id), id)
}

// remove removes the groups of an instance whose processes have ended.
func (l limiter) remove(id lift.InstanceID) error {
	for _, dir := range l.groups(id) {
		if err := removeGroup(dir); err != nil {
			return err
		}
	}
	l.clean()
	return nil
}

// clean removes the group above if it is empty.
func (l limiter) clean() {
	for _, c := range []controller{l.cpu, l.memory} {
		if c.mount != "" {
			unix.Rmdir(filepath.Join(c.mount, l.name)) // fails while instances are there
		}
	}
}

// A cgroup can be busy for a moment after its last process is gone.
func removeGroup(dir string) error {
	var err error
	for range 100 {
		if err = unix.Rmdir(dir); err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("removing the cgroup %s: %w", dir, err)
}

// sweep removes the groups of instances that do not live.
func (l limiter) sweep(running map[lift.InstanceID]bool) error {
	for _, c := range []controller{l.cpu, l.memory} {
		if c.mount == "" {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(c.mount, l.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			id := lift.InstanceID(e.Name())
			if e.IsDir() && !running[id] {
				// Somebody may have removed the folder of a living instance:
				// then nothing else will ever end it.
				for _, pid := range l.pids(id) {
					unix.Kill(pid, unix.SIGKILL)
				}
				if err := l.wait(id); err != nil {
					return err
				}
				if err := removeGroup(filepath.Join(c.mount, l.name, e.Name())); err != nil {
					return err
				}
			}
		}
	}
	l.clean()
	return nil
}
