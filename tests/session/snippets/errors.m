%% try and catch
try
    error('My:id', 'bad value %d', 3);
catch ME
    disp(ME.identifier)
    disp(ME.message)
end
%> My:id
%> bad value 3

%% An error with an identifier
error('MyPkg:tooLarge', 'Value %d is too large', 5)
%! [MyPkg:tooLarge] Value 5 is too large

%% An error without
error('Something is wrong')
%! [] Something is wrong

%% MException
ME = MException('a:b', 'no %s', 'luck');
try
    throw(ME)
catch caught
    fprintf('%s: %s\n', caught.identifier, caught.message);
end
try
    try
        error('in:ner', 'inner');
    catch inner
        rethrow(inner)
    end
catch outer
    disp(outer.identifier)
end
%> a:b: no luck
%> in:ner

%% What goes wrong every day
tests = {'x = [1 2 3]; x(5)', '[1 2 3] * [4 5 6]', '[1 2; 3 4 5]', 's.a = 1; s.b', 'undefined_thing + 1', ...
         'x = {1}; x + 1', 'str2func(3)', 'A = ones(2, 3); A(3, 1)', 'x = 1; x{1}', 'A = eye(2); A(0)', 'cell2mat(3)'};
for k = 1:numel(tests)
    try
        eval([tests{k} ';']);
    catch ME
        fprintf('%s\n', ME.message);
    end
end
%> x(5): out of bound 3 (dimensions are 1x3)
%> operator *: nonconformant arguments (op1 is 1x3, op2 is 1x3)
%> vertical dimensions mismatch (1x2 vs 1x3)
%> structure has no member 'b'
%> 'undefined_thing' undefined near line 1, column 1
%> binary operator '+' not implemented for 'cell' by 'scalar' operations
%> str2func: FCN_NAME must be a string
%> A(3,_): out of bound 2 (dimensions are 2x3)
%> scalar cannot be indexed with {
%> A(0): subscripts must be either integers 1 to (2^63)-1 or logicals
%> cell2mat: C must be a cell array

%% Out of bounds
A = magic(3);
A(4, 1)
%! [Octave:index-out-of-bounds] A(4,_): out of bound 3 (dimensions are 3x3)

%% Dimensions that do not fit
[1 2 3] + [1 2]
%! [Octave:nonconformant-args] operator +: nonconformant arguments (op1 is 1x3, op2 is 1x2)

%% A name that is not known
y = sinn(1)
%! [Octave:undefined-function] 'sinn' undefined near line 1, column 5

%% A function of a toolbox
butter(2, 0.3)
%! [Octave:undefined-function] 'butter' undefined near line 1, column 1
%!
%! The 'butter' function belongs to the signal package from Octave Forge
%! which seems to not be installed in your system.

%% A matrix that is too large
A = ones(1e5);
%! [Octave:bad-alloc] out of memory or dimension too large for Octave's index type

%% Warnings
warning('careful with %d', 3)
warning('My:id', 'take care');
[text, id] = lastwarn
warning('off', 'My:id');
warning('My:id', 'not seen');
warning('on', 'My:id');
%> warning: careful with 3
%> warning: take care
%> text = take care
%> id = My:id

%% A syntax error
x = 1
y = [1 2
%! [Octave:parse-error] parse error near line 3
%!
%!   syntax error

%% Assertions
assert(1 + 1 == 2)
assert(false, 'must be %d', 3)
%! [] must be 3

%% Arguments that are not as they should be
validateattributes(-1, {'numeric'}, {'positive'})
%! [Octave:expected-positive] input must be positive

%% Nothing is said that MATLAB would not say
x = fsolve(@(x) x^2 - 4, 1, optimset('Display', 'off', 'Algorithm', 'levenberg-marquardt'));
c = ['a' 65];
semilogy([-1 0 1]);
legend('one', 'Location', 'best');
title('$x^2$', 'Interpreter', 'latex');
isdir('.');
