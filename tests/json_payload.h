// Payloads as programs send them: JSON-like records that are alike, and differ in their values.
#ifndef GRID_TESTS_JSON_PAYLOAD_H_
#define GRID_TESTS_JSON_PAYLOAD_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace grid::test {

// At least `bytes` long, from `seed`.
inline std::string JsonPayload(size_t bytes, uint32_t seed = 1) {
  uint64_t state = seed;
  const auto next = [&state] {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return std::to_string(state >> 33);
  };
  std::string out;
  do {
    out += R"({"volume":"disk-)" + next() + R"(","bucket":"photos","object":"2024/img-)" + next() +
           R"(.jpg","size":)" + next() + R"(,"etag":")" + next() + next() +
           R"(","parts":[{"number":1,"size":5242880}],"storage-class":"STANDARD"})";
  } while (out.size() < bytes);
  return out;
}

inline std::vector<std::string> JsonPayloads(size_t count, size_t bytes) {
  std::vector<std::string> payloads;
  for (uint32_t i = 0; i < count; ++i) payloads.push_back(JsonPayload(bytes, 1000 + i));
  return payloads;
}

}  // namespace grid::test

#endif  // GRID_TESTS_JSON_PAYLOAD_H_
