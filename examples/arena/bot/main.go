// Bot is one or more players of arena. It gets them into a game, plays for a few
// seconds, leaves, and prints what happened: one JSON object a line for each
// player, and a summary last. A player counts as in only when the game server
// said welcome.
//
//	bot -address 127.0.0.1:7777 -player-session psess-…     somebody else found the seat
//	bot -session arn:aws:gamelift:… -players 4              CreatePlayerSession for each
//	bot -queue my-queue -players 4                          one StartGameSessionPlacement for all
//	bot -matchmaker my-config -players 4                    StartMatchmaking for each
//	bot -matchmaker my-config -players 4 -party 2           the same, two to a ticket
//
// The GameLift API is found as every AWS client finds it: AWS_ENDPOINT_URL,
// AWS_REGION and credentials from the environment or the usual files. Exit
// status 0 only if every player got in.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/gamelift"

	"github.com/chairlift-games/chairlift/examples/arena/player"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err == nil && b.address == "" {
		b.api, err = client(ctx)
	}
	if err == nil {
		err = b.run(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bot:", err)
		os.Exit(1)
	}
}

func client(ctx context.Context) (lift, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return gamelift.NewFromConfig(c), nil
}

// bots are the players of one run and how they find their seats.
type bots struct {
	address, playerSession     string
	session, queue, matchmaker string
	players, seats, party      int
	name                       string
	play, patience, timeout    time.Duration
	traits                     traits
	start                      time.Time // of the request; zero: when we make it
	api                        lift      // nil with an address

	mu  sync.Mutex // guards what follows
	out *json.Encoder
	sum summary
}

// line is what is printed of one player. Times count from the request.
type line struct {
	Kind                   string  `json:"kind"` // "player"
	PlayerID               string  `json:"playerId"`
	PlayerSessionID        string  `json:"playerSessionId,omitempty"`
	GameSession            string  `json:"gameSession,omitempty"`
	Team                   string  `json:"team,omitempty"`
	Address                string  `json:"address,omitempty"`
	In                     bool    `json:"in"`
	RequestToSeatMS        float64 `json:"requestToSeatMS,omitempty"`
	RequestToFirstPacketMS float64 `json:"requestToFirstPacketMS,omitempty"`
	RequestToWelcomeMS     float64 `json:"requestToWelcomeMS,omitempty"`
	Snapshots              int     `json:"snapshots"`
	Score                  int     `json:"score"`
	Ended                  string  `json:"ended,omitempty"`
	Error                  string  `json:"error,omitempty"`
}

// summary is the last line.
type summary struct {
	Kind         string   `json:"kind"` // "summary"
	Players      int      `json:"players"`
	In           int      `json:"in"`
	GameSessions []string `json:"gameSessions,omitempty"`
	// SlowestFirstPacketMS is the longest request-to-first-packet of them all.
	SlowestFirstPacketMS float64 `json:"slowestFirstPacketMS,omitempty"`
}

func parse(args []string, usage io.Writer) (*bots, error) {
	b := &bots{}
	host, _ := os.Hostname()
	flags := flag.NewFlagSet("bot", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&b.address, "address", "", "game server, `host:port`; with -player-session")
	flags.StringVar(&b.playerSession, "player-session", "", "player session `id` for -address")
	flags.StringVar(&b.session, "session", "", "`ARN` of a game session to create player sessions in")
	flags.StringVar(&b.queue, "queue", "", "`name` of a queue to start a placement in")
	flags.StringVar(&b.matchmaker, "matchmaker", "", "`name` of a matchmaking configuration")
	flags.IntVar(&b.players, "players", 1, "how many players")
	flags.IntVar(&b.seats, "seats", 0, "seats of the game session that -queue asks for; default as many as players")
	flags.IntVar(&b.party, "party", 1, "how many players ask -matchmaker together, to be put into one team")
	flags.StringVar(&b.name, "name", fmt.Sprintf("bot-%s-%d", host, os.Getpid()), "`prefix` of the player ids")
	flags.DurationVar(&b.play, "play", 5*time.Second, "how long to play")
	flags.DurationVar(&b.patience, "patience", 30*time.Second, "how long to wait for the game server")
	flags.DurationVar(&b.timeout, "timeout", 2*time.Minute, "how long to wait for a seat")
	attributes := flags.String("attributes", "", "player attributes for -matchmaker, `skill=12.5,mode=ctf`; of skill=30..70 the first party has 30 and the last 70")
	latency := flags.String("latency", "", "milliseconds to regions for -queue and -matchmaker, `us-west-2=30,…`")
	start := flags.String("start", "", "when the request was made, RFC 3339 or milliseconds since 1970; default now")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	ways := 0
	for _, way := range []string{b.address, b.session, b.queue, b.matchmaker} {
		if way != "" {
			ways++
		}
	}
	switch {
	case ways != 1:
		return nil, errors.New("give exactly one of -address, -session, -queue and -matchmaker")
	case (b.address == "") != (b.playerSession == ""):
		return nil, errors.New("-address and -player-session belong together")
	case b.address != "" && b.players != 1:
		return nil, errors.New("one -player-session is for one player")
	case b.party < 1, b.party > 1 && b.matchmaker == "":
		return nil, errors.New("-party is at least 1, and is for -matchmaker")
	case b.players < 1:
		return nil, errors.New("-players must be at least 1")
	}
	var err error
	if b.traits, err = parseTraits(*attributes, *latency); err != nil {
		return nil, err
	}
	if *start != "" {
		at, err := moment(*start)
		if err != nil {
			return nil, err
		}
		b.start = at
	}
	return b, nil
}

func moment(s string) (time.Time, error) {
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.UnixMilli(ms), nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, fmt.Errorf("-start %q is neither RFC 3339 nor milliseconds since 1970", s)
	}
	return t, nil
}

// run plays all players and prints the lines. It fails if one did not get in.
func (b *bots) run(ctx context.Context, stdout io.Writer) error {
	b.out = json.NewEncoder(stdout)
	b.out.SetEscapeHTML(false)
	b.sum = summary{Kind: "summary", Players: b.players}
	if b.start.IsZero() {
		b.start = time.Now()
	}
	ids := make([]string, b.players)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s-%d", b.name, i+1)
	}
	together := max(b.party, 1)
	if b.queue != "" {
		together = len(ids)
	}
	var group sync.WaitGroup
	parties := slices.Collect(slices.Chunk(ids, together))
	for i, party := range parties {
		group.Go(func() { b.playParty(ctx, party, b.traits.of(i, len(parties))) })
	}
	group.Wait()
	b.out.Encode(b.sum)
	if b.sum.In < b.players {
		return fmt.Errorf("%d of %d players got in", b.sum.In, b.players)
	}
	return nil
}

// find gets seats for players who ask together.
func (b *bots) find(ctx context.Context, ids []string, t traits) ([]seat, error) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	switch {
	case b.address != "":
		return []seat{{playerID: ids[0], playerSessionID: b.playerSession, address: b.address, at: time.Now()}}, nil
	case b.session != "":
		s, err := bySession(ctx, b.api, b.session, ids[0])
		return []seat{s}, err
	case b.queue != "":
		return byQueue(ctx, b.api, b.queue, ids, b.seats, t)
	}
	return byMatchmaker(ctx, b.api, b.matchmaker, ids, t)
}

// playParty gets its players in and plays them.
func (b *bots) playParty(ctx context.Context, ids []string, t traits) {
	seats, err := b.find(ctx, ids, t)
	byID := make(map[string]seat)
	for _, s := range seats {
		byID[s.playerID] = s
	}
	var group sync.WaitGroup
	for _, id := range ids {
		s, ok := byID[id]
		if ok && s.address != "" {
			group.Go(func() { b.one(ctx, s, nil) })
			continue
		}
		b.one(ctx, seat{playerID: id}, err)
	}
	group.Wait()
}

// one plays one player and prints its line; err says why there is no seat.
func (b *bots) one(ctx context.Context, s seat, err error) {
	l := line{Kind: "player", PlayerID: s.playerID, PlayerSessionID: s.playerSessionID, GameSession: s.gameSession, Team: s.team, Address: s.address}
	var r player.Result
	if err == nil {
		l.RequestToSeatMS = b.since(s.at)
		r, err = player.Play(ctx, player.Options{Address: s.address, PlayerSessionID: s.playerSessionID, Play: b.play, Patience: b.patience})
	}
	l.In, l.Snapshots, l.Score, l.Ended = r.In, r.Snapshots, r.Score, r.Ended
	l.RequestToFirstPacketMS, l.RequestToWelcomeMS = b.since(r.FirstPacketAt), b.since(r.WelcomeAt)
	if err != nil {
		l.Error = err.Error()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out.Encode(l)
	if !l.In {
		return
	}
	b.sum.In++
	b.sum.SlowestFirstPacketMS = max(b.sum.SlowestFirstPacketMS, l.RequestToFirstPacketMS)
	if s.gameSession != "" && !slices.Contains(b.sum.GameSessions, s.gameSession) {
		b.sum.GameSessions = append(b.sum.GameSessions, s.gameSession)
	}
}

// since is the time from the request, in milliseconds; 0 if it never came.
func (b *bots) since(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.Sub(b.start).Microseconds()) / 1000
}
