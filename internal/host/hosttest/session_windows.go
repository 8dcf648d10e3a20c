package hosttest

import "os/exec"

func leaveSession(*exec.Cmd) {}
