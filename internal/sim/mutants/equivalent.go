package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// equivalents reads the list of a tree.
func equivalents(root string) (map[string]string, error) {
	f, err := os.Open(filepath.Join(root, list))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	reasons, err := readEquivalent(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	return reasons, nil
}

// readEquivalent reads the list of mutants that nobody could notice: the key of
// each on a line, and below it, indented, the reason.
func readEquivalent(r io.Reader) (map[string]string, error) {
	reasons := map[string]string{}
	var waiting []string // keys without a reason yet; several may share one
	fresh := true
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case strings.TrimLeft(line, " \t") != line:
			if waiting == nil {
				return nil, fmt.Errorf("line %d: a reason without a mutant", n)
			}
			for _, key := range waiting {
				reasons[key] = strings.TrimSpace(reasons[key] + " " + strings.TrimSpace(line))
			}
			fresh = true
		default:
			if fresh {
				waiting, fresh = nil, false
			}
			if _, twice := reasons[line]; twice {
				return nil, fmt.Errorf("line %d: %s is listed twice", n, line)
			}
			waiting = append(waiting, line)
			reasons[line] = ""
		}
	}
	for key, reason := range reasons {
		if reason == "" {
			return nil, fmt.Errorf("%s has no reason", key)
		}
	}
	return reasons, lines.Err()
}
