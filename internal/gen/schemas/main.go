// Command schemas writes the JSON Schemas of guise's documents (draft 2020-12)
// from the register tables of package isa/arm64.
//
// Run it with "go generate ./internal/gen/schemas".
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

//go:generate go run . ../../../docs/schema

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: schemas DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

// write generates every schema in a directory.
func write(directory string) error {
	files, err := generate()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(directory, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the schemas by file name.
func generate() (map[string][]byte, error) {
	files := map[string][]byte{}
	schemas := map[string]object{
		"common.json":   common(),
		"capture.json":  capture(),
		"contract.json": contract(),
		"proof.json":    proof(),
		"fleet.json":    fleet(),

		"vmstate.json":   state(),
		"arrival.json":   arrival(),
		"questions.json": questions(),
		"answers.json":   answers(),
	}
	for command, schema := range commandAnswers() {
		schemas["answer-"+command+".json"] = schema
	}
	for name, schema := range schemas {
		content, err := json.Marshal(schema, json.Deterministic(true), jsontext.WithIndent("  "))
		if err != nil {
			return nil, err
		}
		files[name] = append(content, '\n')
	}
	return files, nil
}
