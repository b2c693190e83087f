// Reads the recorded vectors (tests/vectors/*.json) for the tests of serialization/.
#ifndef GRID_TESTS_UNIT_SERIALIZATION_VECTOR_FILE_H_
#define GRID_TESTS_UNIT_SERIALIZATION_VECTOR_FILE_H_

#include <boost/json.hpp>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "serialization/buffer.h"
#include "serialization/bytes.h"
#include "serialization/message.h"

namespace grid::test {

// Throws when the file is missing or no JSON, which fails the test that asked.
inline boost::json::value ReadVectorFile(const std::string& name) {
  std::ifstream in(std::string(GRID_TEST_VECTORS) + "/" + name, std::ios::binary);
  if (!in) throw std::runtime_error("no vector file " + name);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return boost::json::parse(text);
}

inline std::string Text(const boost::json::value& value) {
  return std::string(std::string_view(value.as_string()));
}

inline int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  throw std::invalid_argument("not a lower-case hex digit");
}

inline std::string FromHex(std::string_view hex) {
  if (hex.size() % 2 != 0) throw std::invalid_argument("odd number of hex digits");
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(HexDigit(hex[i]) << 4 | HexDigit(hex[i + 1]));
  }
  return bytes;
}

inline std::string ToHex(BytesView bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}
inline std::string ToHex(std::string_view bytes) { return ToHex(AsBytes(bytes)); }

// Byte i = i % 251, the rule that the vectors use for long inputs.
inline std::string Sequence(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i % 251);
  return bytes;
}

// The encoder's bytes; throws when EncodedSize and EncodeMessage disagree.
inline std::string Encoded(const Message& message) {
  std::string out(EncodedSize(message), '\0');
  auto* begin = reinterpret_cast<uint8_t*>(out.data());
  if (EncodeMessage(message, begin) != begin + out.size()) {
    throw std::logic_error("EncodedSize is not what EncodeMessage wrote");
  }
  return out;
}

template <typename T>
std::string EncodedPayload(const T& value) {
  Buffer out;
  Encode(value, &out);
  return std::string(out.text());
}

}  // namespace grid::test

#endif  // GRID_TESTS_UNIT_SERIALIZATION_VECTOR_FILE_H_
