package main

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go/service/gamelift"
)

// printMembers writes the operations that this version knows, with the members
// of their inputs and outputs, as a recording is written.
func printMembers() {
	fmt.Println("# The API of September 2019, as the Go SDK 1.23.14 has it, from `make record-clients`. Do not edit.")
	api := reflect.TypeFor[*gamelift.GameLift]()
	for i := range api.NumMethod() {
		m := api.Method(i)
		op, found := strings.CutSuffix(m.Name, "Request")
		if !found || m.Type.NumOut() != 2 {
			continue
		}
		fmt.Printf("%s\n  in %s\n  out %s\n", op, members(m.Type.In(1), ""), members(m.Type.Out(1), ""))
	}
}

// members are the paths of a shape's members, with * for the keys of maps.
func members(t reflect.Type, path string) string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return members(t.Elem(), path)
	case reflect.Map:
		return members(t.Elem(), path+".*")
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return ""
		}
		var all []string
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				p := strings.TrimPrefix(path+"."+f.Name, ".")
				all = append(all, strings.TrimSpace(p+" "+members(f.Type, p)))
			}
		}
		return strings.Join(all, " ")
	}
	return ""
}
