package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// result is what a bot says of one player; see examples/arena/bot.
type result struct {
	Kind          string  `json:"kind"`
	PlayerID      string  `json:"playerId"`
	In            bool    `json:"in"`
	GameSession   string  `json:"gameSession"`
	Team          string  `json:"team"`
	SeatMS        float64 `json:"requestToSeatMS"`
	FirstPacketMS float64 `json:"requestToFirstPacketMS"`
	Error         string  `json:"error"`
}

// play runs a bot process for each party of players and returns what they say.
func (d *demo) play(ctx context.Context, bot string) ([]result, error) {
	parties := (d.Players + seats - 1) / seats
	d.screen.begin("%d bots in %d processes are matched, connect and play for %s", d.Players, parties, d.Play)
	var (
		mu      sync.Mutex
		results []result
		wg      sync.WaitGroup
		inGame  int
	)
	for p := range parties {
		size := min(seats, d.Players-p*seats)
		name := fmt.Sprintf("bot-%02d", p+1)
		wg.Go(func() {
			got, stderr := d.party(ctx, bot, name, size)
			mu.Lock()
			defer mu.Unlock()
			for i := len(got); i < size; i++ {
				got = append(got, result{PlayerID: fmt.Sprintf("%s-%d", name, i+1), Error: stderr})
			}
			inGame += count(got)
			results = append(results, got...)
			d.screen.progress(len(results), d.Players, "%d players were in", inGame)
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	d.screen.done("%d of %d players got in", count(results), d.Players)
	return results, nil
}

// skill gives the bots of a party a skill between 30 and 70, always the same.
func skill(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return 30 + int(h.Sum32()%41)
}

// party runs one bot process.
func (d *demo) party(ctx context.Context, bot, name string, size int) ([]result, string) {
	cmd := exec.CommandContext(ctx, bot, "-matchmaker", matchmaker, "-players", fmt.Sprint(size), "-attributes", fmt.Sprintf("skill=%d", skill(name)),
		"-name", name, "-play", d.Play.String())
	cmd.Env = append(environ(), "AWS_ENDPOINT_URL="+d.URL, "AWS_REGION="+d.Region,
		"AWS_ACCESS_KEY_ID="+d.creds.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+d.creds.SecretAccessKey, "AWS_SESSION_TOKEN="+d.creds.SessionToken)
	cmd.SysProcAttr = apart()
	cmd.WaitDelay = time.Second
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err.Error()
	}
	if err := cmd.Start(); err != nil {
		return nil, err.Error()
	}
	var got []result
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var r result
		if json.Unmarshal(lines.Bytes(), &r) == nil && r.Kind == "player" {
			got = append(got, r)
		}
	}
	_ = cmd.Wait() // what went wrong is in its lines and its last words
	return got, strings.TrimSpace(stderr.String())
}

// environ is ours without AWS settings, which could lead a bot elsewhere.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "AWS_") })
}

func count(rs []result) int {
	n := 0
	for _, r := range rs {
		if r.In {
			n++
		}
	}
	return n
}

func failures(rs []result) string {
	why := map[string]int{}
	for _, r := range rs {
		if !r.In {
			why[r.Error]++
		}
	}
	var texts []string
	for text, n := range why {
		texts = append(texts, fmt.Sprintf("%d× %s", n, text))
	}
	slices.Sort(texts)
	return strings.Join(texts, "; ")
}

// summarise makes the rows of the last table.
func summarise(ready time.Duration, rs []result, players int) [][2]string {
	sessions := map[string]bool{}
	var seat, first []float64
	for _, r := range rs {
		if r.In {
			sessions[r.GameSession] = true
			seat, first = append(seat, r.SeatMS), append(first, r.FirstPacketMS)
		}
	}
	return [][2]string{
		{"fleet ACTIVE after", fmt.Sprintf("%.2f s", ready.Seconds())},
		{"game sessions", fmt.Sprint(len(sessions))},
		{"players in", fmt.Sprintf("%d of %d", count(rs), players)},
		{"request to seat, p50", milliseconds(seat, 0.50)},
		{"request to seat, p99", milliseconds(seat, 0.99)},
		{"team skill apart, mean", balance(rs)},
		{"request to first packet, p50", milliseconds(first, 0.50)},
		{"request to first packet, p99", milliseconds(first, 0.99)},
	}
}

// balance tells how far the mean skills of the two teams of a game session are
// apart, over all sessions with two teams. Skills are from 30 to 70.
func balance(rs []result) string {
	type team struct {
		session, name string
	}
	skills := map[team][]int{}
	for _, r := range rs {
		if r.In && r.Team != "" {
			party := r.PlayerID[:max(strings.LastIndexByte(r.PlayerID, '-'), 0)]
			t := team{r.GameSession, r.Team}
			skills[t] = append(skills[t], skill(party))
		}
	}
	sum, n := 0.0, 0
	for t, red := range skills {
		if blue := skills[team{t.session, "blue"}]; t.name == "red" && blue != nil {
			sum += math.Abs(mean(red) - mean(blue))
			n++
		}
	}
	if n == 0 {
		return "none"
	}
	return fmt.Sprintf("%.1f", sum/float64(n))
}

func mean(list []int) float64 {
	sum := 0
	for _, n := range list {
		sum += n
	}
	return float64(sum) / float64(len(list))
}

func milliseconds(ms []float64, q float64) string {
	if len(ms) == 0 {
		return "none"
	}
	slices.Sort(ms)
	return fmt.Sprintf("%.0f ms", ms[min(int(q*float64(len(ms))), len(ms)-1)])
}
