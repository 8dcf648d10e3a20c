//go:build !unix

package pgtest

import "os/exec"

const possible = false

func give(string) error        { return nil }
func asOrdinaryUser(*exec.Cmd) {}
