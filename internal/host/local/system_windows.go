package local

import (
	"syscall"

	"golang.org/x/sys/windows"
)

var systemMissing []string

func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS, HideWindow: true}
}

// endRest has nothing to do: the job object of an agent ends with it.
func endRest(string) {}
