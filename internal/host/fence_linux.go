package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// build makes what the plan's fence needs from inside the namespaces this
// process was started in, and gives up the rights that took.
func build(plan Plan) error {
	switch plan.Fence {
	case FencePlain:
		return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	case FenceProcesses:
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return fmt.Errorf("making mounts private: %w", err)
		}
		// Inside some containers a new /proc is refused. The one there shows
		// ids of outside, which few programs mind.
		unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
		// A wholly privileged user keeps its rights; what was lent for the
		// mount goes.
		return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	case FenceIsolated:
		if err := buildRoot(plan); err != nil {
			return err
		}
		return giveUpRights()
	}
	return fmt.Errorf("there is no fence %q", plan.Fence)
}

// The folders that are made new for every instance and not taken from the host.
var ownFolders = []string{"/proc", "/sys", "/dev", "/run", "/tmp", "/var/tmp", "/local", "/boot", "/lost+found"}

// The folders of the host an instance may write to: what it writes goes to a
// layer of its own and away with it. Other folders are read-only, and so are
// these where the kernel cannot layer.
var layered = []string{"/bin", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/root", "/sbin", "/srv", "/usr", "/var"}

// buildRoot makes a root file system for the instance and moves into it: the
// host's own folders below layers, its own /proc, /dev, /run and /tmp, and the
// instance's folders at /local/game and /local/gamemetadata.
func buildRoot(plan Plan) error {
	b := &builder{root: filepath.Join(plan.Dir, "root"), layers: filepath.Join(plan.Dir, "system"), plan: plan}
	b.do("mounts private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	b.mkdir(b.root)
	b.mount("tmpfs", b.root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=16m")

	b.tree("/")
	b.mkdir(b.root+"/local/game", b.root+"/local/gamemetadata", b.root+"/run/lock")
	for path, mode := range map[string]os.FileMode{"/tmp": 0o1777, "/var/tmp": 0o1777} {
		own := filepath.Join(plan.Dir, "system", strings.ReplaceAll(path[1:], "/", "-"))
		b.mkdir(own, b.root+path)
		b.do("opening "+path, os.Chmod(own, os.ModeSticky|mode&0o777))
		b.mount(own, b.root+path, "", unix.MS_BIND, "")
	}
	b.devices()

	for _, dir := range plan.Hide {
		if _, err := os.Stat(b.root + dir); err == nil {
			b.mount("tmpfs", b.root+dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=1m")
		}
	}
	for _, path := range plan.Show {
		b.bind(path, path)
	}
	b.bind(filepath.Join(plan.Dir, GameName), "/local/game")
	b.bind(filepath.Join(plan.Dir, MetaName), "/local/gamemetadata")
	b.resolver(plan.Resolv)

	b.mkdir(b.root+"/proc", b.root+"/sys", b.root+"/.old")
	b.mount("proc", b.root+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	b.protectProc()
	// Not there in some containers; nothing of ours needs it.
	unix.Mount("sysfs", b.root+"/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, "")
	if plan.Hostname != "" {
		b.do("setting the host name", unix.Sethostname([]byte(plan.Hostname)))
	}
	if b.err != nil {
		return b.err
	}

	if err := unix.PivotRoot(b.root, b.root+"/.old"); err != nil {
		return fmt.Errorf("moving into the instance's root: %w", err)
	}
	return errors.Join(
		os.Chdir("/"),
		unix.Unmount("/.old", unix.MNT_DETACH),
		os.Remove("/.old"),
	)
}

// A builder does steps until one fails.
type builder struct {
	root   string // where the new root is built
	layers string // where what the instance writes to system folders goes
	plan   Plan
	err    error
}

func (b *builder) do(what string, err error) {
	if b.err == nil && err != nil {
		b.err = fmt.Errorf("building the instance: %s: %w", what, err)
	}
}

func (b *builder) mkdir(paths ...string) {
	for _, path := range paths {
		if b.err == nil {
			b.do("making "+path, os.MkdirAll(path, 0o755))
		}
	}
}

func (b *builder) mount(source, target, fstype string, flags uintptr, data string) {
	if b.err == nil {
		b.do(fmt.Sprintf("mounting %s%s at %s", fstype, source, target), unix.Mount(source, target, fstype, flags, data))
	}
}

// bind shows a folder or file of the host inside, writable.
func (b *builder) bind(from, to string) {
	if b.err != nil {
		return
	}
	info, err := os.Stat(from)
	if err != nil {
		b.do("looking at "+from, err)
		return
	}
	if info.IsDir() {
		b.mkdir(b.root + to)
	} else {
		b.mkdir(filepath.Dir(b.root + to))
		f, err := os.OpenFile(b.root+to, os.O_CREATE, 0o644)
		b.do("making "+to, err)
		f.Close()
	}
	b.mount(from, b.root+to, "", unix.MS_BIND, "")
}

// tree makes a folder of the new root out of the host's, entry by entry. A
// layer cannot lie below itself, so folders on the way to the instance's own
// are taken apart further.
func (b *builder) tree(path string) {
	entries, err := os.ReadDir(path)
	b.do("listing "+path, err)
	for _, e := range entries {
		path := filepath.Join(path, e.Name())
		switch {
		case b.err != nil:
			return
		case slices.Contains(ownFolders, path):
		case e.Type()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			b.do("reading "+path, err)
			b.do("linking "+path, os.Symlink(target, b.root+path))
		case !e.IsDir():
		case slices.Contains(b.plan.Hide, path) || path == b.plan.Dir:
			b.mkdir(b.root + path)
		case strings.HasPrefix(b.plan.Dir, path+"/"):
			b.mkdir(b.root + path)
			b.tree(path)
		case slices.ContainsFunc(layered, func(top string) bool { return strings.HasPrefix(path+"/", top+"/") }):
			b.layer(path)
		default:
			b.readOnly(path)
		}
	}
}

// layer shows a folder of the host below a layer of the instance's own.
func (b *builder) layer(path string) {
	upper, work := filepath.Join(b.layers, path, "upper"), filepath.Join(b.layers, path, "work")
	b.mkdir(b.root+path, upper, work)
	if b.err != nil {
		return
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", path, upper, work)
	if strings.ContainsAny(b.layers, ":,\\") || unix.Mount("overlay", b.root+path, "overlay", unix.MS_NOSUID|unix.MS_NODEV, options) != nil {
		b.readOnly(path)
	}
}

func (b *builder) readOnly(path string) {
	b.mkdir(b.root + path)
	b.mount(path, b.root+path, "", unix.MS_BIND|unix.MS_REC, "")
	if b.err != nil {
		return
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	err := unix.MountSetattr(unix.AT_FDCWD, b.root+path, unix.AT_RECURSIVE, &attr)
	if err != nil { // before Linux 5.12: the folder alone, without what is mounted below it
		err = unix.Mount("", b.root+path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
	}
	b.do("making "+path+" read-only", err)
}

// devices makes a /dev with what programs expect and nothing of the machine's.
func (b *builder) devices() {
	dev := b.root + "/dev"
	b.mkdir(dev)
	b.mount("tmpfs", dev, "tmpfs", unix.MS_NOSUID, "mode=0755,size=64k")
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		b.bind("/dev/"+name, "/dev/"+name)
	}
	b.mkdir(dev+"/pts", dev+"/shm")
	b.mount("devpts", dev+"/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
	b.mount("tmpfs", dev+"/shm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777")
	if b.err != nil {
		return
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		b.do("linking /dev/"+name, os.Symlink(target, filepath.Join(dev, name)))
	}
}

// resolver makes resolv.conf the instance's own, wherever it may be a link to.
func (b *builder) resolver(content string) {
	if b.err != nil || content == "" {
		return
	}
	own := filepath.Join(b.layers, "resolv.conf")
	b.do("writing resolv.conf", os.WriteFile(own, []byte(content), 0o644))
	path := "/etc/resolv.conf"
	if target, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join("/etc", target)
		}
		path = filepath.Clean(target)
	}
	if _, err := os.Lstat(b.root + path); err != nil && !strings.HasPrefix(path, "/run/") && !strings.HasPrefix(path, "/etc/") {
		return // a host without one
	}
	b.mkdir(filepath.Dir(b.root + path))
	if b.err == nil {
		if f, err := os.OpenFile(b.root+path, os.O_CREATE, 0o644); err == nil {
			f.Close()
		}
		b.mount(own, b.root+path, "", unix.MS_BIND, "")
	}
}

// protectProc covers what in /proc is the machine's and not the instance's.
func (b *builder) protectProc() {
	for _, name := range []string{"sys", "sysrq-trigger", "irq", "bus"} {
		path := b.root + "/proc/" + name
		if _, err := os.Stat(path); err != nil || b.err != nil {
			continue
		}
		b.mount(path, path, "", unix.MS_BIND, "")
		b.mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
}

// kept are the capabilities an instance has: enough to install packages and to
// change users, not to reach out of it.
var kept = []uintptr{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID,
	unix.CAP_SETPCAP, unix.CAP_SETFCAP, unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_RAW, unix.CAP_SYS_CHROOT, unix.CAP_AUDIT_WRITE,
}

// giveUpRights bounds what any process started from here on can have.
func giveUpRights() error {
	for c := range uintptr(64) {
		if slices.Contains(kept, c) {
			continue
		}
		err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			break // beyond the last one this kernel knows
		}
		if err != nil {
			return fmt.Errorf("giving up capabilities: %w", err)
		}
	}
	return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
}
