%% Putting together
a = 'abc';
b = [a 'def' '!']
strcat('x', 'y', 'z')
['one'; 'two']
[72 'i']
disp(['x = ' num2str(3.5)])
%> b = abcdef!
%> ans = xyz
%> ans =
%>
%> one
%> two
%>
%> ans = Hi
%> x = 3.5

%% Numbers as text and back
num2str(pi, 8)
num2str([1 2; 3 4])
int2str(3.7)
str2double('2.5e3')
str2num('[1 2 3]')
mat2str([1.5 2; 3 4])
%> ans = 3.1415927
%> ans =
%>
%> 1  2
%> 3  4
%>
%> ans = 4
%> ans = 2500
%> ans =
%>
%>    1   2   3
%>
%> ans = [1.5 2;3 4]

%% Formats
fprintf('%d %s %5.2f\n', 3, 'abc', pi);
fprintf('%d, ', [1 2 3]); fprintf('\n');
fprintf('%5.1f|%-8s|%+d|%e\n', 2.345, 'ab', 7, 12345.678);
s = sprintf('%g and %g', 0.1, 1e10)
%> 3 abc  3.14
%> 1, 2, 3,
%>   2.3|ab      |+7|1.234568e+04
%> s = 0.1 and 1e+10

%% Searching and replacing
strrep('hello world', 'o', '0')
strfind('abcabc', 'bc')
regexprep('2024-01-15', '(\d+)-(\d+)-(\d+)', '$3.$2.$1')
upper('abc'), strtrim(sprintf('  \tx ')), fliplr('abc')
%> ans = hell0 w0rld
%> ans =
%>
%>    2   5
%>
%> ans = 15.01.2024
%> ans = ABC
%> ans = x
%> ans = cba

%% Regular expressions
[tok, mat] = regexp('width=10 height=20', '(\w+)=(\d+)', 'tokens', 'match');
tok{2}
mat
names = regexp('key=val', '(?<k>\w+)=(?<v>\w+)', 'names')
%> ans =
%> {
%>   [1,1] = height
%>   [1,2] = 20
%> }
%>
%> mat =
%> {
%>   [1,1] = width=10
%>   [1,2] = height=20
%> }
%>
%> names =
%>
%>   scalar structure containing the fields:
%>
%>     k = key
%>     v = val
%>

%% Splitting and joining
c = strsplit('a,b,c', ',')
strjoin(c, '-')
[first, rest] = strtok('hello world')
%> c =
%> {
%>   [1,1] = a
%>   [1,2] = b
%>   [1,3] = c
%> }
%>
%> ans = a-b-c
%> first = hello
%> rest =  world

%% Comparing
strcmp('a', 'A'), strcmpi('a', 'A'), strncmp('hello', 'help', 3)
'abc' == 'abd'
ischar('a'), isempty(''), isspace('a b')
%> ans = 0
%> ans = 1
%> ans = 1
%> ans =
%>
%>   1  1  0
%>
%> ans = 1
%> ans = 1
%> ans =
%>
%>   0  1  0
%>

%% The newer functions for text
contains('hello world', 'wor'), startsWith('hello', 'he'), endsWith('hello', 'lo')
contains({'apple', 'Pear'}, 'p', 'IgnoreCase', true)
replace('a-b', '-', '+'), strip('  a  '), strlength('four'), count('banana', 'an')
extractBefore('key=value', '='), extractAfter('key=value', '='), extractBetween('<a><b>', '<', '>')
split('a b c'), join({'x', 'y'}, '/')
%> ans = 1
%> ans = 1
%> ans = 1
%> ans =
%>
%>   1  1
%>
%> ans = a+b
%> ans = a
%> ans = 4
%> ans = 2
%> ans = key
%> ans = value
%> ans =
%> {
%>   [1,1] = a
%>   [2,1] = b
%> }
%>
%> ans =
%> {
%>   [1,1] = a
%>   [2,1] = b
%>   [3,1] = c
%> }
%>
%> ans =
%> {
%>   [1,1] = x/y
%> }
%>

%% Bases and bits
dec2bin(10), bin2dec('1010'), dec2hex(255), hex2dec('FF')
bitand(12, 10), bitor(12, 10), bitxor(12, 10), bitshift(1, 3)
%> ans = 1010
%> ans = 10
%> ans = FF
%> ans = 255
%> ans = 8
%> ans = 14
%> ans = 6
%> ans = 8

%% Dates
datestr(736330)
datestr([2020 1 2 3 4 5], 'yyyy-mm-dd HH:MM:SS')
datenum(2020, 1, 1)
[n, s] = weekday(738000)
%> ans = 01-Jan-2016
%> ans = 2020-01-02 03:04:05
%> ans = 737791
%> n = 3
%> s = Tue
