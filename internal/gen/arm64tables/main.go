// Command arm64tables writes the tables of package isa/arm64 from the readable
// sources beside it: source/registers.txt and Arm's source/Features.json.
//
// Run it with "go generate ./isa/arm64".
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: arm64tables DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "arm64tables:", err)
		os.Exit(1)
	}
}

// write generates every table of the package in dir.
func write(dir string) error {
	files, err := generate(dir)
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the generated files of the package in dir by name.
func generate(dir string) (map[string][]byte, error) {
	registerSource, err := os.ReadFile(filepath.Join(dir, "source", "registers.txt"))
	if err != nil {
		return nil, err
	}
	featureSource, err := os.ReadFile(filepath.Join(dir, "source", "Features.json"))
	if err != nil {
		return nil, err
	}
	registers, err := parseRegisters(registerSource)
	if err != nil {
		return nil, err
	}
	features, err := parseFeatures(featureSource, registers)
	if err != nil {
		return nil, err
	}
	registerTable, err := printRegisters(registers)
	if err != nil {
		return nil, err
	}
	featureTable, err := printFeatures(features)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"registers_gen.go": registerTable, "features_gen.go": featureTable}, nil
}
