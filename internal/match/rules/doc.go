// Package rules is the FlexMatch rule language: it reads a rule set, says
// everything that is wrong with it at once, and judges candidate matches.
//
// It knows nothing of pools, tickets that wait, clocks or searching; package
// match does those and lets this package have the last word on every match.
// A rule set is immutable once parsed and may be shared by any number of
// judges; a [Judge] is scratch space and belongs to one goroutine.
//
//	set, findings := rules.Parse(body)
//	if findings.Errors() > 0 {
//		return findings // every finding has a path, a place and a remedy
//	}
//	judge := rules.NewJudge(set)
//	ok, broken := judge.Holds(set.LevelAt(age), roster)
//
// The meaning of every rule type is that of the FlexMatch specification the
// project keeps; section numbers in comments (4.5, 6, …) are its.
package rules
