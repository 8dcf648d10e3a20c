package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// broken lists the rooms that are broken, each with those whose tests run over
// it.
var broken = []struct{ dir, tests string }{
	{"internal/session", "internal/session"},
	{"internal/fleet", "internal/fleet"},
	{"internal/placement", "internal/placement"},
	{"internal/engine", "internal/engine internal/ops"},
	{"internal/engine/matcher", "internal/engine/matcher internal/ops"},
	{"internal/link", "internal/link"},
}

const (
	simulation = "internal/sim"
	list       = "internal/sim/mutants/equivalent.txt" // of the equivalent ones
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.filter, "filter", "", "only mutants whose line in the report matches this expression")
	flag.IntVar(&o.sample, "n", 0, "only so many of them, chosen at random; 0: all")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "chooses those of -n")
	flag.IntVar(&o.seeds, "seeds", 200, "how many worlds a mutant has to live through; 0: none")
	flag.BoolVar(&o.noTests, "no-tests", false, "leave out the packages' own tests")
	flag.DurationVar(&o.each, "each", 2*time.Minute, "how long a suite may take at most; a mutant that takes much longer than none counts as caught sooner")
	flag.DurationVar(&o.limit, "limit", 0, "stop after so long; 0: never")
	flag.BoolVar(&o.only, "list", false, "only list them")
	flag.BoolVar(&o.all, "all", false, "run those that are listed as equivalent, too")
	flag.BoolVar(&o.unreached, "unreached", false, "run none, and list those that would change nothing in any test or world")
	flag.Parse()
	survived, err := o.run(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(2)
	case survived > 0:
		os.Exit(1)
	}
}

type options struct {
	filter      string
	sample      int
	seed        uint64
	seeds       int
	noTests     bool
	each, limit time.Duration
	only, all   bool
	unreached   bool
}

func (o options) run(ctx context.Context) (survived int, err error) {
	filter, err := regexp.Compile(o.filter)
	if err != nil {
		return 0, err
	}
	f, err := findAll()
	if err != nil {
		return 0, err
	}
	reasons, err := equivalents(f.root)
	if err != nil {
		return 0, err
	}
	var chosen []site
	equivalent := 0
	for _, s := range f.sites {
		switch {
		case !filter.MatchString(s.String()):
		case reasons[s.key()] != "" && !o.all:
			equivalent++
		default:
			chosen = append(chosen, s)
		}
	}
	if o.sample > 0 && o.sample < len(chosen) {
		rng := rand.New(rand.NewPCG(o.seed, 0))
		rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:o.sample]
		slices.SortFunc(chosen, func(a, b site) int { return a.id - b.id })
	}
	if o.only {
		for _, s := range chosen {
			fmt.Println(s.key())
		}
		return 0, nil
	}
	tmp, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tmp)
	suites, err := o.build(ctx, f, tmp, chosen)
	if err != nil {
		return 0, err
	}
	began, done := time.Now(), 0
	for _, s := range chosen {
		if ctx.Err() != nil || o.limit > 0 && time.Since(began) > o.limit {
			break
		}
		of := slices.Clone(suites[s.dir()])
		slices.SortStableFunc(of, func(a, b *suite) int { return cmp.Compare(a.time(s.id), b.time(s.id)) })
		by, reached := "", false
		for _, suite := range of {
			reached = reached || suite.reached[s.id] != nil
			if o.unreached {
				continue
			}
			if by = suite.breaks(ctx, s.id, o.each); by != "" {
				break
			}
		}
		if o.unreached && reached {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		done++
		if by == "" {
			survived++
			fmt.Printf("SURVIVED  %s\n", s)
			if !reached {
				fmt.Println("          it would have changed nothing that they do")
			}
		} else {
			fmt.Printf("caught    %s\n          by %s\n", s, by)
		}
	}
	fmt.Printf("%d mutants in %s: %d caught, %d survived; %d not run, %d equivalent\n",
		done, time.Since(began).Round(time.Second), done-survived, survived, len(chosen)-done, equivalent)
	return survived, nil
}

func findAll() (*finder, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m: %w (run it inside the repository)", err)
	}
	f := newFinder(strings.TrimSpace(string(out)))
	for _, b := range broken {
		if err := f.find(b.dir); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// build makes the suites that each broken directory runs: its tests, a few
// worlds, which notice most, all worlds. All must pass while nothing is switched
// on.
func (o options) build(ctx context.Context, f *finder, tmp string, chosen []site) (map[string][]*suite, error) {
	overlay, err := f.overlay(tmp)
	if err != nil {
		return nil, err
	}
	built := map[string]*suite{}
	get := func(dir string, args ...string) (*suite, error) {
		name := fmt.Sprint(dir, args)
		if s := built[name]; s != nil {
			return s, nil
		}
		s, err := f.build(ctx, overlay, dir, tmp)
		if err != nil {
			return nil, err
		}
		built[name] = s
		tests := []string{"TestSim"}
		if s.args = args; len(args) == 0 {
			if tests, err = s.tests(ctx); err != nil {
				return nil, err
			}
		}
		return s, s.try(ctx, tests, tmp, o.each)
	}
	suites := map[string][]*suite{}
	for _, b := range broken {
		if !slices.ContainsFunc(chosen, func(s site) bool { return s.dir() == b.dir }) {
			continue
		}
		var of []*suite
		if !o.noTests {
			for dir := range strings.FieldsSeq(b.tests) {
				s, err := get(dir)
				if err != nil {
					return nil, err
				}
				of = append(of, s)
			}
		}
		for _, n := range []int{o.seeds / 8, o.seeds} {
			if n > 0 {
				s, err := get(simulation, "-once", "-shrink=false", fmt.Sprint("-seeds=", n))
				if err != nil {
					return nil, err
				}
				of = append(of, s)
			}
		}
		suites[b.dir] = of
	}
	return suites, nil
}
