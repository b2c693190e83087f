// LineReader: lines of a file descriptor, for a thread that another one must be able to stop.
//
// One thread reads; Stop may be called from any.
#ifndef GRID_TOOLS_GRIDCTL_LINE_READER_H_
#define GRID_TOOLS_GRIDCTL_LINE_READER_H_

#include <chrono>
#include <string>

namespace grid::tools {

class LineReader {
 public:
  explicit LineReader(int fd);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // True when there is, or may come, a line: false only if the end is reached within `wait`.
  bool HasInput(std::chrono::milliseconds wait);
  // The next line without its newline; what stands before the end without one counts as a line.
  // False at the end, on an error, and after Stop.
  bool Next(std::string* line);
  void Stop();

 private:
  // Appends what is there; waits for it at most `wait_ms` (-1: for ever). False when nothing came.
  bool Fill(int wait_ms);

  const int fd_;
  int stop_fd_;
  std::string buffer_;
  size_t scanned_ = 0;  // no newline before this position
  bool ended_ = false;
};

}  // namespace grid::tools

#endif  // GRID_TOOLS_GRIDCTL_LINE_READER_H_
