package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestGeneratedFilesAreUpToDate: what stands in the repository is what the
// sources give.
func TestGeneratedFilesAreUpToDate(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "isa", "arm64")
	files, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is out of date; run: go generate ./isa/arm64", name)
		}
	}
}

func TestSourceErrorsNameTheLine(t *testing.T) {
	for source, want := range map[string]string{
		"3:0 X lower 0": "registers.txt:1: a field before any register",
		"register A S3_0_C0_C1_0 vm\n  3:0 X lower 0\n  3:2 Y lower 0": "registers.txt:3: A.Y overlaps another field",
		"register A S3_0_C0_C1_0 moon":                                 "registers.txt:1: scope moon: want vm, vcpu or hardware",
		"register A S3_0_C0_C1_0 vm\n  3:0 X sideways 0":               "registers.txt:2: field X: bits, order or safe value do not read",
	} {
		if _, err := parseRegisters([]byte(source)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
}
