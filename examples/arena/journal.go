package main

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// journal writes down, one JSON object a line, everything the hosting service
// told this process and every answer it gave: an account of the service from
// outside it. Processes may share a file: each line says whose it is. A nil
// journal writes nothing.
type journal struct {
	process string // the id by which the service knows this process
	mu      sync.Mutex
	w       io.Writer
}

// entry is one line. Event is "callback" or "answer".
type entry struct {
	Time            time.Time `json:"time"`
	Process         string    `json:"process,omitempty"`
	Event           string    `json:"event"`
	Name            string    `json:"name"`
	GameSessionID   string    `json:"gameSessionId,omitempty"`
	PlayerSessionID string    `json:"playerSessionId,omitempty"`
	Detail          any       `json:"detail,omitempty"`
	Error           string    `json:"error,omitempty"`
	TookMS          float64   `json:"tookMS,omitempty"`
}

func (j *journal) callback(name, gameSessionID string, detail any) {
	j.write(entry{Event: "callback", Name: name, GameSessionID: gameSessionID, Detail: detail})
}

// answer writes down what a call to the service, begun at start, came to.
func (j *journal) answer(name string, start time.Time, playerSessionID string, err error) {
	e := entry{Event: "answer", Name: name, PlayerSessionID: playerSessionID, TookMS: float64(time.Since(start).Microseconds()) / 1000}
	if err != nil {
		e.Error = err.Error()
	}
	j.write(e)
}

func (j *journal) write(e entry) {
	if j == nil {
		return
	}
	e.Time, e.Process = time.Now().UTC(), j.process
	line, err := json.Marshal(e)
	if err != nil {
		panic("arena: " + err.Error()) // our own struct
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.w.Write(append(line, '\n'))
}
