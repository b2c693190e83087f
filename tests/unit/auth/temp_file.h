// TempFile: a file of the test's own, gone with it.
#ifndef GRID_TESTS_UNIT_AUTH_TEMP_FILE_H_
#define GRID_TESTS_UNIT_AUTH_TEMP_FILE_H_

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/temp_dir.h"

namespace grid::testing {

class TempFile {
 public:
  explicit TempFile(const std::string& text) { Write(text); }

  const std::string& path() const { return path_; }
  void Write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  // Another file in its place, as a careful writer does it.
  void Replace(const std::string& text) {
    std::ofstream(path_ + ".new", std::ios::binary) << text;
    std::filesystem::rename(path_ + ".new", path_);
  }
  void Remove() { std::filesystem::remove(path_); }

 private:
  test::TempDir folder_;
  std::string path_ = folder_.File("secret");
};

}  // namespace grid::testing

#endif  // GRID_TESTS_UNIT_AUTH_TEMP_FILE_H_
