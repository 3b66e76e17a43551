package main

import (
	"reflect"
	"slices"
	"strings"
)

// grammarFor returns what the parser is built from: the command that the first
// argument names with the flags that all have, or every command where it names
// none or help is asked for.
// Building all of them costs more than most commands do.
func grammarFor(args []string) any {
	if len(args) == 0 || slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		return &commandLine{}
	}
	all := reflect.TypeFor[commandLine]()
	var global []reflect.StructField
	for i := range all.NumField() {
		field := all.Field(i)
		if _, isCommand := field.Tag.Lookup("cmd"); !isCommand {
			global = append(global, field)
			continue
		}
		name := field.Tag.Get("name")
		if name == "" {
			name = strings.ToLower(field.Name)
		}
		if name == args[0] {
			return reflect.New(reflect.StructOf(append(global, field))).Interface()
		}
	}
	return &commandLine{}
}
