// Reading the protocol documents: their text, and the vectors in it.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.hpp"

namespace peernet::wire {

inline std::string hex(ByteSpan bytes) {
  std::string out;
  for (const std::byte b : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[std::to_integer<unsigned>(b) >> 4];
    out += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

inline std::vector<std::byte> from_hex(const std::string& digits) {
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    out.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return out;
}

inline std::string read_document(const char* path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

/// name -> hex (or text) of the ```vectors blocks; a line that starts with blanks continues the one before.
inline std::map<std::string, std::string> vectors_of(const std::string& document) {
  std::map<std::string, std::string> out;
  std::istringstream lines(document);
  std::string line, name;
  bool inside = false;
  while (std::getline(lines, line)) {
    if (line.starts_with("```")) {
      inside = line == "```vectors";
      continue;
    }
    if (!inside || line.empty()) continue;
    if (line[0] != ' ') {
      const std::size_t colon = line.find(": ");
      name = line.substr(0, colon);
      EXPECT_FALSE(out.contains(name)) << name << " is there twice";
      line = colon == std::string::npos ? "" : line.substr(colon + 2);
    }
    line.erase(0, line.find_first_not_of(' '));
    out[name] += line;
  }
  return out;
}

/// Each vector is in the document as it was computed, and nothing else is.
inline void expect_documented(const std::map<std::string, std::string>& computed, const std::string& document,
                              const char* path) {
  const auto text = vectors_of(document);
  for (const auto& [name, value] : computed) {
    const auto found = text.find(name);
    if (found == text.end()) {
      ADD_FAILURE() << path << " lacks\n" << name << ": " << value;
    } else {
      EXPECT_EQ(found->second, value) << name;
    }
  }
  for (const auto& [name, value] : text) EXPECT_TRUE(computed.contains(name)) << "nothing computes " << name;
}

template <std::size_t N>
ByteArray<N> filled(std::uint8_t value) {
  ByteArray<N> out;
  out.fill(std::byte{value});
  return out;
}

inline ByteSpan text_bytes(std::string_view s) {
  return as_bytes(s.data(), s.size());
}

}  // namespace peernet::wire
