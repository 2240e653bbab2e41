// Indicators of a chart, from candles. Floats: these are pictures, not money. Each gives one value a candle, null
// where there are too few before it.

/**
 * Simple moving average.
 * @param {number[]} values
 * @param {number} length
 * @returns {(number | null)[]}
 */
export function simpleAverage(values, length) {
  let sum = 0;
  return values.map((value, index) => {
    sum += value - (index >= length ? values[index - length] : 0);
    return index >= length - 1 ? sum / length : null;
  });
}

/**
 * Exponential moving average; it begins with the simple one.
 * @param {(number | null)[]} values nulls at the beginning alone
 * @param {number} length
 * @returns {(number | null)[]}
 */
export function exponentialAverage(values, length) {
  const first = values.findIndex((value) => value !== null);
  const weight = 2 / (length + 1);
  let sum = 0;
  let average = null;
  return values.map((value, index) => {
    if (first < 0 || index < first) return null;
    const seen = index - first + 1;
    if (seen <= length) {
      sum += value;
      average = seen === length ? sum / length : null;
    } else average += (value - average) * weight;
    return average;
  });
}

/**
 * Relative strength index by Wilder's smoothing, 0 to 100.
 * @param {number[]} values
 * @param {number} length
 * @returns {(number | null)[]}
 */
export function relativeStrength(values, length = 14) {
  let gain = 0;
  let loss = 0;
  return values.map((value, index) => {
    if (index === 0) return null;
    const change = value - values[index - 1];
    const [up, down] = [Math.max(change, 0), Math.max(-change, 0)];
    if (index <= length) {
      gain += up / length;
      loss += down / length;
      if (index < length) return null;
    } else {
      gain += (up - gain) / length;
      loss += (down - loss) / length;
    }
    if (gain + loss === 0) return 50;
    return (100 * gain) / (gain + loss);
  });
}

/**
 * Moving average convergence and divergence: the difference of two averages, and that one's average.
 * @param {number[]} values
 * @returns {{line: (number | null)[], signal: (number | null)[]}}
 */
export function convergence(values) {
  const [fast, slow] = [exponentialAverage(values, 12), exponentialAverage(values, 26)];
  const line = values.map((_, index) => (slow[index] === null ? null : fast[index] - slow[index]));
  return { line, signal: exponentialAverage(line, 9) };
}

/**
 * Bollinger's bands: the simple average, and so many standard deviations (of all the values) beside it.
 * @param {number[]} values
 * @param {number} deviations below 0 for the lower band
 * @param {number} length
 * @returns {(number | null)[]}
 */
export function band(values, deviations, length = 20) {
  const means = simpleAverage(values, length);
  return means.map((mean, index) => {
    if (mean === null) return null;
    let sum = 0;
    for (let at = index - length + 1; at <= index; at += 1) sum += (values[at] - mean) ** 2;
    return mean + deviations * Math.sqrt(sum / length);
  });
}
