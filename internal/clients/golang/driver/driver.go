// Package driver is the conversation between the tests and a driver that is
// written in Go: questions on standard input, answers on standard output, one
// JSON object a line. It knows no SDK.
package driver

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Ask is one question: an operation of the API and its input.
type Ask struct {
	Op    string          `json:"op"`
	In    json.RawMessage `json:"in"`
	Pages string          `json:"pages"` // the member to collect over all pages; empty: one call
}

// Upload is the input of UploadBuild, which is no operation of the API.
type Upload struct{ Name, Version, OperatingSystem, Root, Zip string }

// File is the input of PutObject, which is an operation of S3.
type File struct{ Bucket, Key, File string }

// Error is a failure that the service answered.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unknown says what the client cannot express: an operation or member that is
// newer than it.
type Unknown string

func (u Unknown) Error() string { return "unknown: " + string(u) }

// Serve answers questions with call until there are no more.
func Serve(call func(Ask) (any, error)) {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var ask Ask
		if err := json.Unmarshal(lines.Bytes(), &ask); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		result, err := call(ask)
		answer := map[string]any{"out": result}
		if unknown := Unknown(""); errors.As(err, &unknown) {
			answer = map[string]any{"unknown": string(unknown)}
		} else if failed := (*Error)(nil); errors.As(err, &failed) {
			answer = map[string]any{"error": failed}
		} else if err != nil {
			answer = map[string]any{"error": Error{"Failed", err.Error()}}
		}
		if err := out.Encode(answer); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// Decode reads an input into the SDK's struct. A member that the struct does
// not have is Unknown.
func Decode(given json.RawMessage, in any) error {
	dec := json.NewDecoder(bytes.NewReader(given))
	dec.DisallowUnknownFields()
	err := dec.Decode(in)
	if err != nil && strings.Contains(err.Error(), "unknown field") {
		return Unknown(err.Error())
	}
	return err
}

// Pages calls one for page after page and collects the items.
func Pages(ask Ask, one func(json.RawMessage) (any, error)) (any, error) {
	var given map[string]any
	if err := json.Unmarshal(ask.In, &given); err != nil {
		return nil, err
	}
	all := []any{}
	for range 1000 {
		in, err := json.Marshal(given)
		if err != nil {
			return nil, err
		}
		page, err := one(in)
		if err != nil {
			return nil, err
		}
		b, err := json.Marshal(page)
		if err != nil {
			return nil, err
		}
		var out map[string]any
		if err := json.Unmarshal(b, &out); err != nil {
			return nil, err
		}
		items, _ := out[ask.Pages].([]any)
		all = append(all, items...)
		token, _ := out["NextToken"].(string)
		if token == "" {
			return map[string]any{ask.Pages: all}, nil
		}
		given["NextToken"] = token
	}
	return nil, errors.New("there is no last page")
}
