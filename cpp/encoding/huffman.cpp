#include "encoding/huffman.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace i2cnn {

namespace {

using Lengths = std::array<int, kSymbols>;
using Symbol = std::pair<std::uint32_t, std::size_t>;  // count, symbol

// Depths of the leaves of the Huffman tree. Leaves, sorted by count, and inner nodes, in the order
// of their creation, form two queues.
Lengths tree_depths(const std::vector<Symbol>& leaves) {
  const std::size_t n = leaves.size();
  Lengths depths{};
  if (n == 1) {
    depths[leaves[0].second] = 1;
    return depths;
  }
  std::vector<std::uint64_t> weight(2 * n - 1);
  std::vector<std::size_t> parent(2 * n - 1);
  for (std::size_t i = 0; i < n; ++i) weight[i] = leaves[i].first;
  std::size_t leaf = 0;
  std::size_t inner = n;
  for (std::size_t node = n; node < 2 * n - 1; ++node) {
    for (int child = 0; child < 2; ++child) {
      const bool take_leaf = leaf < n && (inner >= node || weight[leaf] <= weight[inner]);
      const std::size_t taken = take_leaf ? leaf++ : inner++;
      weight[node] += weight[taken];
      parent[taken] = node;
    }
  }
  std::vector<int> depth(2 * n - 1, 0);
  for (std::size_t node = 2 * n - 2; node-- > 0;) depth[node] = depth[parent[node]] + 1;
  for (std::size_t i = 0; i < n; ++i) depths[leaves[i].second] = depth[i];
  return depths;
}

// Shortens codes that are too long, then lengthens the rarest others until the lengths are those of
// a prefix code.
void limit_lengths(const std::vector<Symbol>& leaves, Lengths& depths) {
  constexpr std::int64_t kWhole = std::int64_t{1} << kMaxCodeLength;
  std::int64_t used = 0;
  for (const auto& [count, symbol] : leaves) {
    depths[symbol] = std::min(depths[symbol], kMaxCodeLength);
    used += kWhole >> depths[symbol];
  }
  for (const auto& [count, symbol] : leaves) {
    while (used > kWhole && depths[symbol] < kMaxCodeLength) {
      ++depths[symbol];
      used -= kWhole >> depths[symbol];
    }
  }
  // The most frequent symbols get what is left.
  for (auto leaf = leaves.rbegin(); leaf != leaves.rend(); ++leaf) {
    int& depth = depths[leaf->second];
    while (depth > 1 && used + (kWhole >> depth) <= kWhole) {
      used += kWhole >> depth;
      --depth;
    }
  }
}

}  // namespace

HuffmanCode huffman_code(const std::array<std::uint32_t, kSymbols>& counts) {
  std::vector<Symbol> leaves;
  for (std::size_t s = 0; s < kSymbols; ++s) {
    if (counts[s] > 0) leaves.emplace_back(counts[s], s);
  }
  std::sort(leaves.begin(), leaves.end());
  Lengths depths = tree_depths(leaves);
  limit_lengths(leaves, depths);
  // Codes of one length are consecutive numbers in the order of the symbols (RFC 1951, 3.2.2).
  std::array<unsigned, kMaxCodeLength + 2> next{};
  for (const int depth : depths) {
    if (depth > 0) ++next[static_cast<std::size_t>(depth) + 1];
  }
  for (std::size_t l = 2; l < next.size(); ++l) next[l] += next[l - 1];
  for (std::size_t l = 1, first = 0, sum = 0; l < next.size() - 1; ++l) {
    const std::size_t here = next[l + 1] - next[l];
    first = (first + sum) << 1;
    sum = here;
    next[l] = static_cast<unsigned>(first);
  }
  HuffmanCode codes{};
  for (std::size_t s = 0; s < kSymbols; ++s) {
    const int length = depths[s];
    if (length == 0) continue;
    const unsigned code = next[static_cast<std::size_t>(length)]++;
    unsigned reversed = 0;
    for (int b = 0; b < length; ++b) reversed |= ((code >> b) & 1U) << (length - 1 - b);
    codes[s] = {static_cast<std::uint16_t>(reversed), static_cast<std::uint16_t>(length)};
  }
  return codes;
}

}  // namespace i2cnn
