//go:build !unix

package readfile

import (
	"io"
	"os"
)

func into(buffer []byte, name string, limit int) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkInfo(name, info.IsDir(), info.Size(), limit); err != nil {
		return nil, err
	}
	return fill(buffer, name, -1, limit, func(b []byte) (int, error) {
		n, err := file.Read(b)
		if err == io.EOF {
			err = nil
		}
		return n, err
	})
}
