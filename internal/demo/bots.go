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
	"strconv"
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

	group group
}

// party is the place among those of its group of the party that the player came
// with: the players of a group are numbered, party after party.
func (r *result) party() int {
	n, _ := strconv.Atoi(r.PlayerID[strings.LastIndexByte(r.PlayerID, '-')+1:])
	return (n - 1) / r.group.party
}

// skill is that of the player, as the bots spread it over their parties.
func (r *result) skill() float64 {
	parties := (r.group.players + r.group.party - 1) / r.group.party
	return float64(r.group.skill) + spread*float64(r.party())/float64(max(parties-1, 1))
}

// A group is the players of one bot process. They ask for a match in parties,
// each more skilled than the one before.
type group struct {
	name         string
	players      int
	party        int // players of one matchmaking ticket
	skill        int // of the first party, 30 to 50; the last has spread more
	milliseconds int // to the region of the fleet
}

// spread is between the skills of the first and of the last party of a group.
const spread = 20

// groups are the bots of the demo, always the same: half of them come alone,
// half in pairs.
func (d *demo) groups() []group {
	var all []group
	for left := d.Players; left > 0; left -= seats {
		g := group{name: fmt.Sprintf("bot-%02d", len(all)+1), players: min(seats, left), party: 1 + len(all)%2}
		h := fnv.New32a()
		h.Write([]byte(g.name))
		g.skill, g.milliseconds = 30+int(h.Sum32()%21), 15+int(h.Sum32()/21%100)
		all = append(all, g)
	}
	return all
}

// play runs a bot process for each group of players and returns what they say.
func (d *demo) play(ctx context.Context, bot string) ([]result, error) {
	groups := d.groups()
	d.screen.begin("%d bots in %d processes are matched, alone or in pairs, connect and play for %s", d.Players, len(groups), d.Play)
	var (
		mu      sync.Mutex
		results []result
		wg      sync.WaitGroup
		inGame  int
	)
	for _, g := range groups {
		wg.Go(func() {
			got, stderr := d.bots(ctx, bot, g)
			mu.Lock()
			defer mu.Unlock()
			for i := len(got); i < g.players; i++ {
				got = append(got, result{PlayerID: fmt.Sprintf("%s-%d", g.name, i+1), Error: stderr})
			}
			for i := range got {
				got[i].group = g
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

// bots runs one bot process.
func (d *demo) bots(ctx context.Context, bot string, g group) ([]result, string) {
	cmd := exec.CommandContext(ctx, bot, "-matchmaker", matchmaker, "-players", fmt.Sprint(g.players), "-party", fmt.Sprint(g.party),
		"-attributes", fmt.Sprintf("skill=%d..%d", g.skill, g.skill+spread), "-latency", fmt.Sprintf("%s=%d", d.Region, g.milliseconds),
		"-name", g.name, "-play", d.Play.String())
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
		{"pairs in one team", together(rs)},
		{"farthest player", farthest(rs)},
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
	skills := map[team][]float64{}
	for _, r := range rs {
		if r.In && r.Team != "" {
			t := team{r.GameSession, r.Team}
			skills[t] = append(skills[t], r.skill())
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

// together tells how many of the parties play in one team of one game session.
func together(rs []result) string {
	teams := map[string]string{}
	kept, of := 0, 0
	for _, r := range rs {
		if r.group.party < 2 || !r.In {
			continue
		}
		party, team := fmt.Sprint(r.group.name, r.party()), r.GameSession+" "+r.Team
		if first, seen := teams[party]; !seen {
			teams[party] = team
		} else if of++; first == team {
			kept++
		}
	}
	return fmt.Sprintf("%d of %d", kept, of)
}

// farthest tells the longest latency of a player who got in, as the player
// measured it before.
func farthest(rs []result) string {
	most := 0
	for _, r := range rs {
		if r.In {
			most = max(most, r.group.milliseconds)
		}
	}
	return fmt.Sprintf("%d ms from the region", most)
}

func mean(list []float64) float64 {
	sum := 0.0
	for _, n := range list {
		sum += n
	}
	return sum / float64(len(list))
}

func milliseconds(ms []float64, q float64) string {
	if len(ms) == 0 {
		return "none"
	}
	slices.Sort(ms)
	return fmt.Sprintf("%.0f ms", ms[min(int(q*float64(len(ms))), len(ms)-1)])
}
