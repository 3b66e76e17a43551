package probe

import "testing"

// BenchmarkBuild builds the image of a proof, which is made once for each.
func BenchmarkBuild(b *testing.B) {
	program := everything()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := program.Build(Layout{}); err != nil {
			b.Fatal(err)
		}
	}
}
