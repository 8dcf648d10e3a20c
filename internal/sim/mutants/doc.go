// Mutants breaks the code on purpose, in one place at a time, and looks whether
// somebody notices: the tests of the package, or the simulated worlds. A break
// that nobody notices is a check that is missing.
//
//	go run ./internal/sim/mutants                             # make sim-mutants
//	go run ./internal/sim/mutants -filter engine/handle.go -seeds 300
//	go run ./internal/sim/mutants -n 40 -limit 20m            # some, at random
//
// What it breaks are conditions: a branch that is never taken, an operand of
// && or || that no longer counts. All of them are built into one binary with a
// switch for each (by go build -overlay; no file of the tree is touched), so a
// mutant costs a run and no compiling. A run of each test with nothing broken
// notes which of them would have changed anything in it: a mutant is run over
// those only, and -unreached lists the mutants for which there is none.
//
// Those that change nothing anybody could notice are listed in equivalent.txt
// with the reason. The package must not know what the code means.
package main
