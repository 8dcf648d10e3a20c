package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// copied returns Command with the name of a copy in Dir of the agent's program,
// so that a new version of the program changes nothing for agents that run.
// The first call makes the copy; the others wait for it.
func (h *Host) copied() ([]string, error) {
	h.copying.Lock()
	defer h.copying.Unlock()
	if h.command != nil {
		return h.command, nil
	}
	command, err := h.copyCommand()
	if err == nil {
		h.command = command
	}
	return command, err
}

// copyCommand copies the agent's program into Dir, unless this version of it
// is there, and returns Command with the copy's name. Copies nobody runs any
// more are removed: when no instance is left, all the others.
func (h *Host) copyCommand() ([]string, error) {
	from, err := exec.LookPath(h.Command[0])
	if err != nil {
		return nil, fmt.Errorf("the agent's program: %w", err)
	}
	info, err := os.Stat(from)
	if err != nil {
		return nil, fmt.Errorf("the agent's program: %w", err)
	}
	name := fmt.Sprintf("%x-%x-%s", info.ModTime().UnixNano(), info.Size(), filepath.Base(from))
	to := filepath.Join(h.Dir, "bin", name)
	if err := copyFile(from, to); err != nil {
		return nil, fmt.Errorf("copying the agent's program: %w", err)
	}
	command := append([]string{to}, h.Command[1:]...)

	running, err := os.ReadDir(filepath.Join(h.Dir, "instances"))
	if err != nil || len(running) > 0 {
		return command, err
	}
	copies, err := os.ReadDir(filepath.Join(h.Dir, "bin"))
	for _, c := range copies {
		if c.Name() != name {
			os.Remove(filepath.Join(h.Dir, "bin", c.Name()))
		}
	}
	return command, err
}

func copyFile(from, to string) (err error) {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	temp := to + ".tmp"
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dst, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return os.Rename(temp, to)
}

// passedOn are the variables of this process that programs commonly need. All
// others stay here: keys and passwords are among them.
var passedOn = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR",
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP", "PATHEXT", "COMSPEC", "USERPROFILE", "LOCALAPPDATA", "APPDATA",
	"PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
}

func passedOnEnv() (env []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if name = strings.ToUpper(name); slices.Contains(passedOn, name) || strings.HasPrefix(name, "LC_") {
			env = append(env, v)
		}
	}
	return env
}
